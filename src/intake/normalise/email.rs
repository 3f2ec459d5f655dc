//! E-mail addresses.

use super::text;

/// No space around it, nothing invisible in it, the domain in lower case and as the mail system has it (IDN). The part
/// before the `@` stays as it is, because its case may count.
pub(super) fn tidy(typed: &str) -> String {
    let text = text::line(&text::visible(typed));
    match text.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", ascii(domain)),
        None => text,
    }
}

fn ascii(domain: &str) -> String {
    match idna::domain_to_ascii(domain) {
        Ok(ascii) if !ascii.is_empty() => ascii,
        _ => domain.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_part_keeps_its_case() {
        assert_eq!(tidy(" Sara.Ali@EXAMPLE.Com "), "Sara.Ali@example.com");
        assert_eq!(tidy("\u{200f}a@b.sa\u{200e}"), "a@b.sa");
        assert_eq!(tidy("not an address"), "not an address");
        assert_eq!(tidy("sara@"), "sara@");
    }

    #[test]
    fn domains_of_other_scripts_are_as_the_mail_system_has_them() {
        assert_eq!(tidy("info@مثال.السعودية"), "info@xn--mgbh0fb.xn--mgberp4a5d4ar");
        assert_eq!(tidy("info@BÜCHER.de"), "info@xn--bcher-kva.de");
        assert_eq!(tidy("a@exa mple.com"), "a@exa mple.com");
    }
}
