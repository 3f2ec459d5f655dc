-- A copy must not send its changes to the real daemon, nor sign as the real database.
-- (Odoo itself deactivates the cron.)
DELETE FROM ir_config_parameter
      WHERE key = 'g_assistant_connector.url';
DELETE FROM g_assistant_secret;
