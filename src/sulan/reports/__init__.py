"""Reports: what a verb returns, printed for people, as JSON, and as one self-contained HTML page."""
