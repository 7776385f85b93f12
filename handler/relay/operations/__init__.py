"""One attempt of an operation besides chat: embeddings, rerank, images, audio, ..."""
