//! Leads as a website sends them: Arabic and English mixed, about 1 KB each.

use std::{fs, path::Path};

use serde_json::{Value, json};

const PEOPLE: [&str; 6] =
    ["محمد القحطاني", "Sara Ali", "نورة الشمري", "James O'Neill", "عبدالله الحربي", "Lina Haddad"];
const COMPANIES: [&str; 4] = ["شركة البناء الحديث", "Najd Trading Co.", "مؤسسة الأفق", "Gulf Facilities LLC"];
const CITIES: [&str; 4] = ["الرياض", "Jeddah", "الدمام", "Abha"];
const CAMPAIGNS: [&str; 3] = ["Villas Q4", "المنازل الذكية", "Brand"];
const MESSAGE: &str = "أرغب في عرض سعر مفصل لنظام الطاقة الشمسية لفيلا من دورين، مع الضمان والتركيب. \
                       Please call in the evening; we also need financing over 24 months and a site visit this week. ";

/// Lead number `n` of a `run`; no two are the same.
pub fn lead(run: &str, n: usize) -> Value {
    let person = PEOPLE[n % PEOPLE.len()];
    json!({
        "external_id": format!("{run}-{n}"),
        "name": format!("{person} {run} {n}"),
        "contact_name": person,
        "company": COMPANIES[n % COMPANIES.len()],
        "email": email(run, n),
        "phone": phone(run, n),
        "city": CITIES[n % CITIES.len()],
        "country": "SA",
        "source": "Website",
        "medium": "Form",
        "campaign": CAMPAIGNS[n % CAMPAIGNS.len()],
        "tags": ["VIP", "Riyadh"],
        "message": MESSAGE.repeat(2),
    })
}

/// Its phone number: other runs have others, as other people do.
fn phone(run: &str, n: usize) -> String {
    let start = run.bytes().fold(0, |sum: usize, byte| (sum * 31 + usize::from(byte)) % 911) * 100_003;
    format!("+9665{:08}", (start + n) % 100_000_000)
}

/// Its e-mail address.
pub fn email(run: &str, n: usize) -> String {
    format!("lead.{run}.{n}@example.com")
}

/// Many of them.
pub fn leads(run: &str, count: usize) -> Vec<Value> {
    (0..count).map(|n| lead(run, n)).collect()
}

/// The body of one webhook, as bytes: 1 KB.
pub fn body(lead: &Value) -> Vec<u8> {
    let mut text = json!({ "lead": lead }).to_string();
    // Bodies of one size make runs comparable.
    while text.len() < 1024 {
        text.push(' ');
    }
    text.into_bytes()
}

/// A file of them, for the baselines.
pub fn write(path: &Path, run: &str, count: usize) {
    fs::write(path, serde_json::to_vec(&leads(run, count)).expect("JSON")).expect("written");
}
