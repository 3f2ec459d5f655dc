from . import g_assistant_parked_edit
from . import g_assistant_secret_new
from . import g_assistant_restore
