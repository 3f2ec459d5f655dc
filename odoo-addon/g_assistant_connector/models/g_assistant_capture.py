import json

from odoo import api, models
from odoo.tools import SQL

from .. import capture, config, kinds, net_change
from .g_assistant_mirror import WANTED

# One at a time reads the triggers' rows. Any number that nobody else uses as an advisory lock.
LOCK = 0x67617374
# Rows of the triggers that are looked at in one go: little, since users wait meanwhile.
CHUNK = 200


class Capture(models.AbstractModel):
    """The triggers that notice changes (`capture`), and the rows that they leave."""

    _name = "g_assistant.capture"
    _description = "G-Assistant change capture"

    def _register_hook(self):
        # Here and not at installation only: which fields there are depends on other modules.
        super()._register_hook()
        self._install()

    @api.model
    def _install(self):
        """Bring the triggers to what the fields are now; without recording there are none.
        Costs one query if they are so."""
        definitions = []
        if config.enabled(self.env):
            definitions = [capture.definition(trigger) for trigger in self._triggers()]
        wanted = capture.fingerprint(definitions)
        self.env.cr.execute("SELECT obj_description(to_regclass('g_assistant_change'), 'pg_class')")
        if self.env.cr.fetchone()[0] == wanted:
            return
        # Two processes that start at once must not make the same trigger.
        self.env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        self._drop_triggers()
        self.env.cr.execute(capture.TABLE)
        for statements in definitions:
            self.env.cr.execute(statements)
        self.env.cr.execute("COMMENT ON TABLE g_assistant_change IS %s", [wanted])

    @api.model
    def _triggers(self):
        mirror = self.env["g_assistant.mirror"]
        for model_name in kinds.NOUNS:
            shape = mirror._shape(model_name)
            yield from capture.triggers(model_name, self.env[model_name]._table, shape)

    @api.model
    def _drop_triggers(self):
        """Whatever an earlier version left, too."""
        self.env.cr.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE prorettype = 'trigger'::regtype"
            " AND pronamespace = current_schema::regnamespace AND proname LIKE %s",
            ["g\\_assistant\\_%"],
        )
        for (function,) in self.env.cr.fetchall():
            self.env.cr.execute(SQL(f"DROP FUNCTION {function} CASCADE"))
        self.env.cr.execute(
            "DO $$ BEGIN IF to_regclass('g_assistant_change') IS NOT NULL"
            " THEN COMMENT ON TABLE g_assistant_change IS NULL; END IF; END $$"
        )

    @api.model
    def _uninstall(self):
        self._drop_triggers()
        self.env.cr.execute("DROP TABLE IF EXISTS g_assistant_change")

    @api.model
    def _note(self, model_name, notes):
        """Add what the database cannot know to what this transaction does to records:
        ``{id: {"operation": …, "merged_into": …}}``, and the user, for deletions."""
        if not notes:
            return
        self.env.cr.execute(
            SQL(
                "%s SELECT %s, n.*, %s, %s FROM unnest(%s::int[], %s::json[]) n",
                SQL("INSERT INTO g_assistant_change (model, res_id, old, action, user_id)"),
                model_name,
                capture.NOTED,
                self.env.uid,
                list(notes),
                [json.dumps(note) for note in notes.values()],
            )
        )

    @api.model
    def _take(self):
        """Take the oldest rows, and all others of the same records.

        Return the `net_change.Net` of each transaction and record as ``(model, id, net)``,
        and whether there may be more. Reading the record and taking its rows is one
        statement: it must be what exactly these rows led to.
        """
        self.env.cr.execute(
            "SELECT model, array_agg(DISTINCT res_id), count(*)"
            " FROM (SELECT model, res_id FROM g_assistant_change ORDER BY id LIMIT %s) c"
            " GROUP BY model",
            [CHUNK],
        )
        found = self.env.cr.fetchall()
        nets = []
        for model_name, ids, _count in found:
            for res_id, *after in self._take_of_model(model_name, ids):
                nets += [(model_name, res_id, net) for net in net_change.of_record(*after)]
        nets.sort(key=lambda one: one[2].position)
        return nets, sum(count for _model, _ids, count in found) == CHUNK

    @api.model
    def _take_of_model(self, model_name, ids):
        """``(id, record, writer, rows)`` of each record, see `net_change.of_record`."""
        mirror = self.env["g_assistant.mirror"]
        shape = mirror._shape(model_name)
        table = SQL.identifier(self.env[model_name]._table)
        self.env.cr.execute(
            SQL(
                """
                WITH taken AS (
                    DELETE FROM g_assistant_change
                     WHERE model = %(model)s AND res_id = ANY(%(ids)s)
                 RETURNING id, txid, at, res_id, action, user_id, old
                ), grouped AS (
                    SELECT c.res_id, json_agg(
                               json_build_array(
                                   c.id, c.txid, c.at, c.action, c.user_id,
                                   CASE WHEN c.action = %(updated)s THEN (
                                       -- The columns that there were then, in normal form.
                                       SELECT json_object_agg(f.key, f.value)
                                         FROM json_populate_record(NULL::%(table)s, c.old) t,
                                              json_each(%(columns)s) f
                                        WHERE f.key IN (SELECT json_object_keys(c.old))
                                   ) ELSE c.old END
                               ) ORDER BY c.id
                           ) AS rows
                      FROM taken c GROUP BY c.res_id
                )
                SELECT g.res_id, CASE WHEN t.id IS NOT NULL THEN %(record)s END, t.write_uid, g.rows
                  FROM grouped g LEFT JOIN %(table)s t ON t.id = g.res_id
                """,
                model=model_name,
                ids=ids,
                updated=capture.UPDATED,
                table=table,
                columns=mirror._json({name: shape.columns[name] for name in shape.stored}),
                record=shape.record,
            ),
            # Somebody may have taken them since our snapshot: Odoo runs the call again.
            log_exceptions=False,
        )
        return self.env.cr.fetchall()

    @api.model
    def _count(self):
        """How many events are still to be made of the rows, at most."""
        self.env.cr.execute("SELECT count(DISTINCT (model, res_id, txid)) FROM g_assistant_change")
        return self.env.cr.fetchone()[0]


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.model
    def set_param(self, key, value):
        result = super().set_param(key, value)
        if key == config.ENABLED:
            self.env["g_assistant.capture"]._install()
        return result


class IrModelFields(models.Model):
    _inherit = "ir.model.fields"

    def _drop_column(self):
        """A column goes (its module is uninstalled): the triggers must not read it. The
        registry, which is loaded next, makes them anew."""
        if any(field.name in WANTED.get(field.model, ()) for field in self):
            self.env["g_assistant.capture"]._drop_triggers()
        return super()._drop_column()
