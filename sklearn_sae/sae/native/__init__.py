"""The C code of the autoencoder, and the calls of it that check their arguments."""
