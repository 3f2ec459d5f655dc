"""The daemon's reasons, which it writes in English, in the reader's language."""

import re

from odoo import _, api, fields, models, tools

PART = re.compile(r"(.+?) (\d+/\d+): (.*)")
FACTOR = re.compile(r"(\S+) (.*): (odds × \S+)")


class CrmLead(models.Model):
    _inherit = "crm.lead"

    g_assistant_score_words = fields.Text("Why This Score", compute="_compute_g_assistant_words")
    g_assistant_chance_words = fields.Text("Why This Chance", compute="_compute_g_assistant_words")
    g_assistant_flag_words = fields.Text("Why These Flags", compute="_compute_g_assistant_words")

    @api.depends_context("lang")
    @api.depends(
        "g_assistant_score_reasons",
        "g_assistant_chance_reasons",
        "g_assistant_flag_reasons",
        "g_assistant_flag_ids",
    )
    def _compute_g_assistant_words(self):
        for lead in self:
            lead.g_assistant_score_words = self._g_assistant_lines(
                lead.g_assistant_score_reasons, lead._g_assistant_say_part
            )
            lead.g_assistant_chance_words = self._g_assistant_lines(
                lead.g_assistant_chance_reasons, self._g_assistant_say_factor
            )
            lead.g_assistant_flag_words = self._g_assistant_lines(
                lead.g_assistant_flag_reasons, lead._g_assistant_say_flag
            )

    @api.model
    def _g_assistant_lines(self, text, say):
        return "\n".join(map(say, (text or "").splitlines())) or False

    def _g_assistant_say_part(self, line):
        """Of a score: ``data quality 15/25: good e-mail, company``."""
        found = PART.fullmatch(line)
        if not found:
            return line
        name, points, reasons = found.groups()
        hopeless = name == "no lead at all"
        say = self._g_assistant_say_flag if hopeless else self._g_assistant_say_each
        return f"{self._g_assistant_say(name)} {points}: {say(reasons)}"

    @api.model
    def _g_assistant_say_factor(self, line):
        """Of a chance: ``city riyadh: odds × 1.52``."""
        found = FACTOR.fullmatch(line)
        if not found:
            return self._g_assistant_say(line)
        name, value, odds = map(self._g_assistant_say, found.groups())
        return f"{name} {value}: {odds}"

    def _g_assistant_say_flag(self, line):
        """Of a flag: ``SPAM: one word over and over``."""
        code, colon, reason = line.partition(": ")
        flag = self.g_assistant_flag_ids.filtered(lambda flag: flag.code == code)
        say = self._g_assistant_say_each if code == "DUPLICATE" else self._g_assistant_say
        return f"{flag.name or code}{colon}{say(reason)}"

    @api.model
    def _g_assistant_say_each(self, phrases):
        return ", ".join(map(self._g_assistant_say, phrases.split(", "))) if phrases else ""

    @api.model
    def _g_assistant_say(self, phrase):
        """What is none of the phrases stays as it is: names, and what a newer daemon says."""
        plain, patterns = self._g_assistant_phrases()
        if phrase in plain:
            return plain[phrase]
        for pattern, text in patterns:
            found = pattern.fullmatch(phrase)
            if found:
                return text % found.groupdict()
        return phrase

    @api.model
    @tools.ormcache("self.env.lang")
    def _g_assistant_phrases(self):
        plain, patterns = {}, []
        for phrase, text in self._g_assistant_dictionary().items():
            parts = re.split(r"%\((\w+)\)s", phrase)
            if len(parts) == 1:
                plain[phrase] = text
                continue
            # Texts and names of what stands between them take turns.
            texts = [re.escape(part.replace("%%", "%")) for part in parts[::2]]
            names = [f"(?P<{name}>.+)" for name in parts[1::2]] + [""]
            pattern = "".join(text + name for text, name in zip(texts, names, strict=True))
            patterns.append((re.compile(pattern), text))
        return plain, patterns

    @api.model
    def _g_assistant_dictionary(self):
        """What the daemon says, as it says it."""
        return {
            # The parts of a score, and what the points are for.
            "campaign source": _("campaign source"),
            "ad and site activity": _("ad and site activity"),
            "data quality": _("data quality"),
            "engagement": _("engagement"),
            "no lead at all": _("no lead at all"),
            "nothing known": _("nothing known"),
            "recommended by %(who)s": _("recommended by %(who)s"),
            "campaign %(name)s": _("campaign %(name)s"),
            "source %(name)s": _("source %(name)s"),
            "no campaign": _("no campaign"),
            "clicked an ad (%(id)s)": _("clicked an ad (%(id)s)"),
            "answered the ad %(name)s": _("answered the ad %(name)s"),
            "searched for %(term)s": _("searched for %(term)s"),
            "its page is known": _("its page is known"),
            "form %(name)s": _("form %(name)s"),
            "valid phone": _("valid phone"),
            "good e-mail": _("good e-mail"),
            "full name": _("full name"),
            "company": _("company"),
            "a short message": _("a short message"),
            "a message": _("a message"),
            "%(count)s answered": _("%(count)s answered"),
            # Why flags are raised.
            "%(domain)s gives addresses to throw away": _(
                "%(domain)s gives addresses to throw away"
            ),
            "`%(who)s` is on a list of those who must not be contacted": _(
                "`%(who)s` is on a list of those who must not be contacted"
            ),
            "`%(who)s` is on a blacklist of Odoo": _("`%(who)s` is on a blacklist of Odoo"),
            "`%(text)s` is no e-mail address": _("`%(text)s` is no e-mail address"),
            "`%(text)s` has no country code, and no country is configured": _(
                "`%(text)s` has no country code, and no country is configured"
            ),
            "`%(text)s` is no phone number": _("`%(text)s` is no phone number"),
            "not agreed: %(text)s": _("not agreed: %(text)s"),
            "a field that people do not see was filled in": _(
                "a field that people do not see was filled in"
            ),
            "%(count)s links, more than %(most)s": _("%(count)s links, more than %(most)s"),
            "one word over and over": _("one word over and over"),
            "the same text in every field": _("the same text in every field"),
            "%(domain)s looks like %(meant)s": _("%(domain)s looks like %(meant)s"),
            "%(domain)s takes no mail": _("%(domain)s takes no mail"),
            "no domain ends in .%(ending)s": _("no domain ends in .%(ending)s"),
            "its platform says so": _("its platform says so"),
            "it holds the dummy data of a testing tool": _(
                "it holds the dummy data of a testing tool"
            ),
            "`%(email)s` is nobody's address": _("`%(email)s` is nobody's address"),
            # What a chance follows from.
            "average lead %(percent)s %%": _("average lead %(percent)s %%"),
            "odds × %(times)s": _("odds × %(times)s"),
            "country": _("country"),
            "city": _("city"),
            "language": _("language"),
            "phone": _("phone"),
            "e-mail": _("e-mail"),
            "job": _("job"),
            "name": _("name"),
            "form": _("form"),
            "click": _("click"),
            "message": _("message"),
            "answers": _("answers"),
            "source": _("source"),
            "medium": _("medium"),
            "campaign": _("campaign"),
            "weekday": _("weekday"),
            "time": _("time"),
            "origin": _("origin"),
            "none": _("none"),
            "yes": _("yes"),
            "valid": _("valid"),
            "invalid": _("invalid"),
            "bad": _("bad"),
            "free": _("free"),
            "own domain": _("own domain"),
            "full": _("full"),
            "part": _("part"),
            "short": _("short"),
            "unknown": _("unknown"),
            "made in Odoo": _("made in Odoo"),
            "night": _("night"),
            "morning": _("morning"),
            "afternoon": _("afternoon"),
            "evening": _("evening"),
            "Mon": _("Mon"),
            "Tue": _("Tue"),
            "Wed": _("Wed"),
            "Thu": _("Thu"),
            "Fri": _("Fri"),
            "Sat": _("Sat"),
            "Sun": _("Sun"),
            # By what a known person is recognised.
            "same e-mail address": _("same e-mail address"),
            "same mobile number": _("same mobile number"),
            "same landline": _("same landline"),
            "same shared mailbox": _("same shared mailbox"),
            "same conversation": _("same conversation"),
            "same name": _("same name"),
            "same given name": _("same given name"),
            "names that may be one": _("names that may be one"),
            "other name": _("other name"),
            "same company": _("same company"),
            "similar company": _("similar company"),
            "other company": _("other company"),
        }
