"""The formats that providers have for operations besides chat: embeddings, rerank, ..."""
