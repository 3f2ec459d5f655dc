//! How long each part of the dashboard takes to answer on 200,000 leads, and what CRM's own screens cost with the addon.
//!
//! In-process, as a manager who sees all leads, over a period that has all of them in it: nothing is left out by a date.
//! The baseline is one plain `read_group` of Odoo over the same leads. The screens read what the web client asks for:
//! the fields of the list, the kanban and the form as they are with and without the addon, on two databases with the
//! same leads; how they are drawn is not in it.

use serde_json::{Value, json};

use crate::{
    Scale,
    odoo::{Database, Template},
    plot::{Bar, Plot},
    pull,
    python::{Script, addons},
    report::{Measured, median, ratio},
};

const BLOCKS: [&str; 8] = ["overview", "pipeline", "campaigns", "flow", "week", "response", "team", "quality"];
const SCREENS: [(&str, &str); 3] =
    [("list", "addon_list_overhead"), ("kanban", "addon_kanban_overhead"), ("form", "addon_form_overhead")];

pub async fn measure(scale: Scale) -> Measured {
    let (count, rounds) = scale.pick((200_000, 9), (20_000, 3));
    let with_addon = Database::fresh(Template::Addon);
    pull::fill(&with_addon, 1, count);
    spread(&with_addon);
    let mut with = Script::in_process(&with_addon, "admin", &addons());
    let request = json!({"rounds": rounds, "period": "last_365"});
    with.run("dashboards", json!({"rounds": 1, "period": "last_365"}));
    println!("    {count} leads, {rounds} rounds");
    let dashboards = with.run("dashboards", request);
    let times = |name: &str| numbers(&dashboards["ms"][name]);
    let baseline = times("read_group");
    let slowest = BLOCKS.map(|name| (median(&times(name)), name)).into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    let (slowest_ms, slowest) = slowest.expect("there are blocks");

    let (leads, rounds, opened) = scale.pick((20_000, 9, 20), (2_000, 2, 5));
    let (plain, screens) = (Database::fresh(Template::Plain), Database::fresh(Template::Addon));
    for database in [&plain, &screens] {
        pull::fill(database, 1, leads);
    }
    let mut sides = [Script::in_process(&plain, "admin", ""), Script::in_process(&screens, "admin", &addons())];
    for side in &mut sides {
        side.run("screens", json!({"times": 3}));
    }
    println!("    screens: {leads} leads, {rounds} × {opened}");
    let mut answers = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        // Who goes first takes turns.
        for at in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            answers[at].push(sides[at].run("screens", json!({"times": opened})));
        }
    }
    let medians = |at: usize, kind: &str| -> Vec<f64> {
        answers[at].iter().map(|answer| median(&numbers(&answer["ms"][kind]))).collect()
    };

    let mut summary = vec![
        ("dashboard_slowest_ms_200k", slowest_ms),
        ("dashboard_slowest_vs_read_group", ratio(&times(slowest), &baseline)),
    ];
    summary.extend(SCREENS.map(|(kind, key)| (key, ratio(&medians(1, kind), &medians(0, kind)))));
    let mut bars: Vec<Bar> =
        BLOCKS.iter().map(|name| Bar::subject((*name).to_owned(), median(&times(name))).target(1000.0)).collect();
    bars.push(Bar::baseline("one read_group of Odoo", median(&baseline)));
    let side = |at: usize| -> Value {
        SCREENS
            .iter()
            .map(|(kind, _)| {
                let queries = &answers[at][0]["queries"][kind];
                ((*kind).to_owned(), json!({"rounds_ms": medians(at, kind), "queries": queries}))
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    Measured {
        samples: json!({
            "leads": count, "slowest": slowest, "dashboard": dashboards,
            "screens": {"leads": leads, "with_addon": side(1), "without_addon": side(0)},
        }),
        summary,
        plot: Plot {
            title: "The dashboard on 200,000 leads".to_owned(),
            unit: "milliseconds, median".to_owned(),
            logarithmic: false,
            bars,
        },
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// Over stages, sources, campaigns, times of response, activities and spend: groups that a dashboard has.
fn spread(database: &Database) {
    database.sql("insert into utm_source (name) select 'Source ' || n from generate_series(1, 12) n");
    database.sql(
        "set session_replication_role = replica; \
         update crm_lead set source_id = (select min(id) from utm_source where name like 'Source %') + id % 12, \
             stage_id = (array(select s.id from crm_stage s order by s.sequence, s.id))[1 + id % 4], \
             probability = case when id % 20 = 0 then 0 when id % 4 = 3 then 100 else 20 + id % 60 end, \
             date_closed = case when id % 4 = 3 then create_date + interval '9 days' end, \
             prorated_revenue = expected_revenue / 2, \
             g_assistant_platform = (array['meta', 'google', 'tiktok'])[1 + id % 3], \
             g_assistant_campaign = 'c' || id % 120, g_assistant_campaign_name = 'Campaign ' || id % 120, \
             g_assistant_first_action_at = case when id % 7 > 0 then create_date + interval '9 minutes' end, \
             g_assistant_response_minutes = case when id % 7 > 0 then 1 + id % 3000 end",
    );
    database.sql(
        "insert into mail_activity (res_model, res_model_id, res_id, user_id, date_deadline, activity_type_id, active) \
         select 'crm.lead', (select id from ir_model where model = 'crm.lead'), id, 2, current_date - 3 + (id % 7)::int, \
             (select min(id) from mail_activity_type), true from crm_lead where id % 5 = 0",
    );
    database.sql(
        "insert into g_assistant_spend (company_id, day, platform, campaign, campaign_name, currency_id, amount, \
             amount_company, clicks, key) \
         select 1, current_date - day, (array['meta', 'google', 'tiktok'])[1 + n % 3], 'c' || n, 'Campaign ' || n, \
             (select currency_id from res_company where id = 1), 100, 100, 40, day || '/' || n \
         from generate_series(0, 119) n, generate_series(0, 364) day",
    );
    database.sql("vacuum analyze crm_lead");
    database.sql("analyze mail_activity, g_assistant_spend");
}
