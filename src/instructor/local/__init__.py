"""The embedded model: a small language model in this process, spoken to as if it were OpenAI's chat completions."""
