-- A copy must not send its changes to the real daemon, nor sign as the real database.
-- (Odoo itself deactivates the cron.)
DELETE FROM ir_config_parameter
      WHERE key = 'g_assistant_connector.url';
DELETE FROM g_assistant_secret;
-- The daemon is the original's: a copy would warn that it is silent, and show what waits there.
DELETE FROM mail_activity
      WHERE res_model = 'g_assistant.connection';
DELETE FROM g_assistant_connection;
