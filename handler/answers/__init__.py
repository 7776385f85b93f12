"""An answer, whole or streamed, on its way to the client."""
