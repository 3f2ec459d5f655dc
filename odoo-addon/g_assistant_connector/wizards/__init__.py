from . import g_assistant_secret_new
