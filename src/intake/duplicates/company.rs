//! Names of companies: legal forms aside.

use super::{fold::words, name::without_article, word::Word};

/// How two companies stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Companies {
    /// One of them, or both, are missing.
    Unknown,
    /// The same name.
    Alike,
    /// Names of which one says more, or which differ in what the company does: a branch, a sister, or another one.
    Unclear,
    /// Other names.
    Different,
}

/// What says nothing about which company it is.
const FORMS: &[&str] = &[
    "co",
    "company",
    "corp",
    "corporation",
    "inc",
    "llc",
    "ltd",
    "limited",
    "wll",
    "fze",
    "fzco",
    "fzc",
    "fz",
    "spc",
    "psc",
    "pjsc",
    "sal",
    "sarl",
    "est",
    "establishment",
    "group",
    "holding",
    "holdings",
    "and",
    "of",
    "for",
    "the",
    "l",
    "c",
    "w",
    "s",
    "o",
    "a",
    "p",
    "j",
    "plc",
    "gmbh",
    "شركه",
    "شركة",
    "مؤسسه",
    "موسسه",
    "موسسة",
    "مجموعه",
    "مجموعة",
    "القابضه",
    "القابضة",
    "المحدوده",
    "المحدودة",
    "محدوده",
    "محدودة",
    "ذ",
    "م",
    "ش",
    "ذمم",
    "شمم",
    "و",
    "مسوليه",
    "مسولية",
    "ذات",
    "ومشاركوه",
    "وشركاه",
    "وشركاوه",
    "partners",
    "sons",
    "وابناوه",
    "اولاد",
    "وشريكه",
    "المساهمه",
    "المساهمة",
    "فردي",
    "فرديه",
];

/// What a company does, each activity in both languages.
const ACTIVITIES: &[&str] = &[
    "trading trade tradings التجاره التجارة للتجاره للتجارة التجاريه التجارية تجاره تجارة تجاريه تجارية commercial",
    "contracting contractors contractor المقاولات للمقاولات مقاولات construction الانشاءات للانشاءات انشاءات",
    "medical الطبيه الطبية طبيه طبية للمعدات healthcare health الصحيه الصحية",
    "industries industrial industry الصناعيه الصناعية للصناعات الصناعات للصناعه للصناعة",
    "transport transportation للنقل النقل نقل logistics اللوجستيه اللوجستية للخدمات_اللوجستيه shipping للشحن الشحن",
    "services service الخدمات للخدمات خدمات",
    "technology technologies tech it التقنيه التقنية للتقنيه للتقنية تقنيه تقنية systems الانظمه الانظمة للانظمه للانظمة",
    "realestate estate real العقاريه العقارية عقاريه عقارية للعقارات العقارات properties",
    "food foods الغذائيه الغذائية للاغذيه للاغذية الاغذيه الاغذية",
    "travel tourism السياحه السياحة للسياحه للسياحة للسفر السفر سفر",
    "consulting consultancy consultants consultant الاستشارات للاستشارات استشارات الاستشاريه الاستشارية",
    "investment investments الاستثمار للاستثمار الاستثمارات",
    "school schools مدارس مدرسه مدرسة المدارس",
    "furniture للاثاث الاثاث اثاث",
    "clinic clinics عياده عيادة عيادات العيادات",
    "restaurant restaurants مطعم مطاعم المطاعم",
    "hotel hotels فندق فنادق الفنادق",
    "cars auto motors automotive للسيارات السيارات سيارات",
    "electronics للالكترونيات الكترونيات الالكترونيات",
    "pharmacy pharma صيدليه صيدلية صيدليات",
    "engineering الهندسيه الهندسية هندسيه هندسية للهندسه للهندسة",
];

/// A company's name, taken apart.
struct Company {
    core: Vec<Word>,
    activities: Vec<usize>,
}

pub(super) fn compare(a: Option<&str>, b: Option<&str>) -> Companies {
    let (Some(a), Some(b)) = (a.and_then(parts), b.and_then(parts)) else { return Companies::Unknown };
    let disjoint = !a.activities.is_empty()
        && !b.activities.is_empty()
        && !a.activities.iter().any(|activity| b.activities.contains(activity));
    let (short, long) = if a.core.len() <= b.core.len() { (&a.core, &b.core) } else { (&b.core, &a.core) };
    let together = |core: &[Word]| core.iter().map(|word| &*word.text).collect::<String>();
    let alike = short.len() == long.len() && short.iter().zip(long).all(|(a, b)| a.is_like(b))
        || Word::new(&together(short)).is_like(&Word::new(&together(long)));
    if alike {
        return if disjoint { Companies::Unclear } else { Companies::Alike };
    }
    let contained = short.iter().all(|word| long.iter().any(|other| word.is_like(other)));
    if contained && !short.is_empty() { Companies::Unclear } else { Companies::Different }
}

fn parts(name: &str) -> Option<Company> {
    let mut company = Company { core: Vec::new(), activities: Vec::new() };
    for word in words(name) {
        if let Some(activity) = activity(&word) {
            company.activities.push(activity);
        } else if !is_form(&word) {
            company.core.push(Word::new(without_article(&word).unwrap_or(&word)));
        }
    }
    // A company that is called by what it does.
    if company.core.is_empty() {
        company.core = words(name).iter().filter(|word| !is_form(word)).map(|word| Word::new(word)).collect();
        company.activities.clear();
    }
    (!company.core.is_empty()).then_some(company)
}

fn is_form(word: &str) -> bool {
    FORMS.contains(&word) || matches!(word, "al" | "el" | "ال")
}

fn activity(word: &str) -> Option<usize> {
    ACTIVITIES.iter().position(|line| line.split(' ').any(|known| known == word))
}

/// What of a company's name is the same in all its spellings.
pub(super) fn sound(name: &str) -> Option<String> {
    Some(parts(name)?.core.iter().map(Word::sound).collect())
}

/// The words by which a company is found: as they may stand in Odoo, with and without the article.
pub(super) fn search_words(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in words(name).iter().filter(|word| !is_form(word) && activity(word).is_none()) {
        let bare = without_article(word).unwrap_or(word);
        if bare.chars().count() < 2 {
            continue;
        }
        let article = if super::fold::is_arabic(bare) { "ال" } else { "al" };
        found.extend([bare.to_owned(), format!("{article}{bare}")]);
    }
    for word in &mut found {
        *word = word.replace('ى', "ي").replace('ة', "ه");
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companies() {
        for (a, b, expected) in [
            ("شركة الفهد للتجارة", "Al-Fahd Trading Co.", Companies::Alike),
            ("مؤسسة النور التجارية", "النور للتجارة", Companies::Alike),
            ("Gulf Star LLC", "Gulfstar", Companies::Alike),
            ("Al Fahd Trading", "Al Fahd Contracting", Companies::Unclear),
            ("Acme", "Acme Middle East", Companies::Unclear),
            ("Acme", "Apex", Companies::Different),
            ("شركة", "Acme", Companies::Unknown),
        ] {
            assert_eq!(compare(Some(a), Some(b)), expected, "{a} / {b}");
            assert_eq!(compare(Some(b), Some(a)), expected, "{b} / {a}");
        }
    }

    #[test]
    fn words_to_search_by() {
        assert_eq!(search_words("شركة الفهد للتجارة"), ["الفهد", "فهد"]);
        assert_eq!(search_words("Al-Fahd Trading Co."), ["alfahd", "fahd"]);
    }
}
