"""What a language model is asked, in which words, and what becomes of its replies."""
