// The settings of clients, which docs/clients.md has, too: `make clients` writes both.
//
// Texts have $origin, $key and $model in the place of their values.
export default [
  {
    "clients": [
      {
        "name": "Claude Code",
        "endpoint": "/v1/messages"
      }
    ],
    "settings": [
      [
        "ANTHROPIC_BASE_URL",
        "$origin"
      ],
      [
        "ANTHROPIC_AUTH_TOKEN",
        "$key"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "Codex CLI, any name",
        "endpoint": "/v1/responses"
      }
    ],
    "settings": [
      [
        "SLUICE_API_KEY",
        "$key"
      ]
    ],
    "files": [
      {
        "path": "~/.codex/config.toml",
        "language": "toml",
        "text": "model = \"$model\"\nmodel_provider = \"sluice\"\n\n[model_providers.sluice]\nname = \"Sluice\"\nbase_url = \"$origin/v1\"\nenv_key = \"SLUICE_API_KEY\"\nwire_api = \"responses\""
      }
    ],
    "model": "sturdy",
    "note": "Do not name the provider `OpenAI`, which Codex treats in another way. For a model whose name it knows, Codex offers custom tools, which most compatible hosts do not have: for those use an alias."
  },
  {
    "clients": [
      {
        "name": "Codex CLI, a known name",
        "endpoint": "/v1/responses"
      }
    ],
    "settings": [
      [
        "SLUICE_API_KEY",
        "$key"
      ]
    ],
    "files": [
      {
        "path": "~/.codex/config.toml",
        "language": "toml",
        "text": "model = \"$model\"\nmodel_provider = \"sluice\"\n\n[model_providers.sluice]\nname = \"Sluice\"\nbase_url = \"$origin/v1\"\nenv_key = \"SLUICE_API_KEY\"\nwire_api = \"responses\""
      }
    ],
    "model": "gpt-6-luna",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "Gemini CLI",
        "endpoint": "/v1beta/models"
      }
    ],
    "settings": [
      [
        "GOOGLE_GEMINI_BASE_URL",
        "$origin"
      ],
      [
        "GEMINI_API_KEY",
        "$key"
      ]
    ],
    "files": [
      {
        "path": "~/.gemini/settings.json",
        "language": "json",
        "text": "{\n  \"security\": {\"auth\": {\"selectedType\": \"gemini-api-key\"}},\n  \"privacy\": {\"usageStatisticsEnabled\": false},\n  \"general\": {\"disableAutoUpdate\": true}\n}"
      }
    ],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "opencode",
        "endpoint": "/v1/chat/completions"
      }
    ],
    "settings": [
      [
        "SLUICE_API_KEY",
        "$key"
      ]
    ],
    "files": [
      {
        "path": "~/.config/opencode/opencode.json",
        "language": "json",
        "text": "{\n  \"provider\": {\n    \"sluice\": {\n      \"npm\": \"@ai-sdk/openai-compatible\",\n      \"options\": {\"baseURL\": \"$origin/v1\", \"apiKey\": \"{env:SLUICE_API_KEY}\"},\n      \"models\": {\"$model\": {}}\n    }\n  },\n  \"model\": \"sluice/$model\"\n}"
      }
    ],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "Copilot CLI",
        "endpoint": "/v1/chat/completions"
      }
    ],
    "settings": [
      [
        "COPILOT_PROVIDER_BASE_URL",
        "$origin/v1"
      ],
      [
        "COPILOT_PROVIDER_API_KEY",
        "$key"
      ],
      [
        "COPILOT_MODEL",
        "$model"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "Copilot CLI",
        "endpoint": "/v1/responses"
      }
    ],
    "settings": [
      [
        "COPILOT_PROVIDER_BASE_URL",
        "$origin/v1"
      ],
      [
        "COPILOT_PROVIDER_WIRE_API",
        "responses"
      ],
      [
        "COPILOT_PROVIDER_API_KEY",
        "$key"
      ],
      [
        "COPILOT_MODEL",
        "$model"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "Copilot CLI",
        "endpoint": "/v1/messages"
      }
    ],
    "settings": [
      [
        "COPILOT_PROVIDER_BASE_URL",
        "$origin"
      ],
      [
        "COPILOT_PROVIDER_TYPE",
        "anthropic"
      ],
      [
        "COPILOT_PROVIDER_API_KEY",
        "$key"
      ],
      [
        "COPILOT_MODEL",
        "$model"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "aider",
        "endpoint": "/v1/chat/completions"
      }
    ],
    "settings": [
      [
        "OPENAI_API_BASE",
        "$origin/v1"
      ],
      [
        "OPENAI_API_KEY",
        "$key"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "openai 2, Python",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "openai 3, Python",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "openai, Node",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "openai 2, Python",
        "endpoint": "/v1/responses"
      },
      {
        "name": "openai 3, Python",
        "endpoint": "/v1/responses"
      },
      {
        "name": "openai, Node",
        "endpoint": "/v1/responses"
      },
      {
        "name": "LangChain, OpenAI",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "LangChain, OpenAI",
        "endpoint": "/v1/responses"
      },
      {
        "name": "LlamaIndex",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "pydantic-ai, OpenAI",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "pydantic-ai, OpenAI",
        "endpoint": "/v1/responses"
      },
      {
        "name": "OpenAI Agents",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "OpenAI Agents",
        "endpoint": "/v1/responses"
      },
      {
        "name": "LiteLLM, openai/",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "LiteLLM, openai/responses/",
        "endpoint": "/v1/responses"
      }
    ],
    "settings": [
      [
        "OPENAI_BASE_URL",
        "$origin/v1"
      ],
      [
        "OPENAI_API_KEY",
        "$key"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "anthropic, Python",
        "endpoint": "/v1/messages"
      },
      {
        "name": "anthropic, Node",
        "endpoint": "/v1/messages"
      },
      {
        "name": "LangChain, Anthropic",
        "endpoint": "/v1/messages"
      },
      {
        "name": "pydantic-ai, Anthropic",
        "endpoint": "/v1/messages"
      },
      {
        "name": "LiteLLM, anthropic/",
        "endpoint": "/v1/messages"
      }
    ],
    "settings": [
      [
        "ANTHROPIC_BASE_URL",
        "$origin"
      ],
      [
        "ANTHROPIC_API_KEY",
        "$key"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "google-genai, Python",
        "endpoint": "/v1beta/models"
      },
      {
        "name": "google-genai, Node",
        "endpoint": "/v1beta/models"
      }
    ],
    "settings": [
      [
        "GOOGLE_GEMINI_BASE_URL",
        "$origin"
      ],
      [
        "GEMINI_API_KEY",
        "$key"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": ""
  },
  {
    "clients": [
      {
        "name": "AI SDK, compatible",
        "endpoint": "/v1/chat/completions"
      },
      {
        "name": "AI SDK, OpenAI",
        "endpoint": "/v1/responses"
      },
      {
        "name": "AI SDK, Anthropic",
        "endpoint": "/v1/messages"
      }
    ],
    "settings": [
      [
        "SLUICE_URL",
        "$origin/v1"
      ],
      [
        "SLUICE_API_KEY",
        "$key"
      ]
    ],
    "files": [],
    "model": "sturdy",
    "note": "The provider of OpenAI needs `providerOptions: { openai: { store: false } }` in each request: without it, the SDK sends ids of items that it takes for stored."
  },
  {
    "clients": [
      {
        "name": "llm",
        "endpoint": "/v1/chat/completions"
      }
    ],
    "settings": [],
    "files": [
      {
        "path": "~/.config/io.datasette.llm/keys.json",
        "language": "json",
        "text": "{\"sluice\": \"$key\"}"
      },
      {
        "path": "~/.config/io.datasette.llm/extra-openai-models.yaml",
        "language": "yaml",
        "text": "- model_id: $model\n  model_name: $model\n  api_base: $origin/v1\n  api_key_name: sluice\n  supports_tools: true"
      }
    ],
    "model": "sturdy",
    "note": ""
  }
];
