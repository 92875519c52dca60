"""The corpus artefact: a folder of Parquet parts that every room reads and writes.

`schema` says what a corpus is, `reader` and `writer` stream it, `convert` makes one from the files people
have, `sample` draws from it, `overlap` finds the documents that share wording with evaluation texts.
"""
