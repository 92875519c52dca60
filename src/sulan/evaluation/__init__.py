"""What a language model is worth: perplexity, multiple choice, generation, lm-eval's tasks, and significance.

`significance` and `correlation` are plain NumPy and know no model; the other modules need the extra `lm`, and
`harness` the extra `evaluation`. Importing this package imports none of them.
"""
