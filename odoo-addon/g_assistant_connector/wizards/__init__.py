from . import g_assistant_parked_edit
from . import g_assistant_secret_new
