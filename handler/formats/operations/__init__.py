"""What clients send for operations besides chat: embeddings, rerank, images, audio, ..."""
