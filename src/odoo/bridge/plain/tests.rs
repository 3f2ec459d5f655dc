//! The addon-less bridge against a scripted Odoo.
