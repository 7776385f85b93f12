"""The client format of Gemini's generateContent."""
