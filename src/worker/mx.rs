//! Which domains take no mail: asked of DNS after a webhook is answered, before its leads are examined. Off by default,
//! since it tells the name server where people have their mail.
//!
//! Answers are kept as long as they say themselves. What is not known in time is held against nobody.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use futures_util::future::join_all;
use hickory_resolver::{
    TokioResolver,
    net::NetError,
    proto::rr::{Name, RData, RecordType},
};
use tokio::time::timeout;

use crate::domain::Draft;

/// Most domains whose answers are kept.
const CACHE: u64 = 10_000;

/// Asks for mail servers.
pub struct MailDomains {
    resolver: TokioResolver,
    timeout: Duration,
}

impl MailDomains {
    /// Asks the name servers of this machine; a batch waits for `timeout` at most.
    pub fn open(timeout: Duration) -> anyhow::Result<Self> {
        let mut builder = TokioResolver::builder_tokio().context("reading the machine's name servers")?;
        let options = builder.options_mut();
        options.cache_size = CACHE;
        options.timeout = timeout;
        options.attempts = 1;
        Ok(Self { resolver: builder.build().context("preparing to ask for mail servers")?, timeout })
    }

    /// Those of the domains in these drafts' e-mail addresses that take no mail.
    pub async fn without_mail<'a>(&self, drafts: impl Iterator<Item = &'a Draft>) -> BTreeSet<String> {
        let leads = drafts.filter_map(|draft| match draft {
            Draft::Lead(lead) => Some(lead),
            Draft::Message(draft) => Some(&draft.lead),
            Draft::Order(_) | Draft::Mark(_) | Draft::Profile(_) => None,
        });
        let emails = leads.flat_map(|lead| lead.email.iter().chain(&lead.other_emails));
        let domains: BTreeSet<String> = emails.filter_map(|email| domain(email)).collect();
        let asked = domains.into_iter().map(async |domain| {
            let takes_none = timeout(self.timeout, self.takes_none(&domain)).await;
            takes_none.unwrap_or_default().then_some(domain)
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// Whether nobody takes mail there: there is no such domain, it says so itself (RFC 7505), or it has neither a mail
    /// server nor an address (RFC 5321, 5.1).
    async fn takes_none(&self, domain: &str) -> bool {
        let Ok(name) = Name::from_ascii(format!("{domain}.")) else { return false };
        match self.resolver.lookup(name.clone(), RecordType::MX).await {
            Ok(found) => {
                let mut servers = found.answers().iter().filter_map(|record| match &record.data {
                    RData::MX(mx) => Some(&mx.exchange),
                    _ => None,
                });
                servers.next().is_some_and(Name::is_root) && servers.next().is_none()
            }
            Err(error) if error.is_nx_domain() => true,
            Err(error) if error.is_no_records_found() => {
                self.resolver.lookup_ip(name).await.is_err_and(|error: NetError| error.is_no_records_found())
            }
            Err(_) => false,
        }
    }
}

/// The domain of an address, in the form in which DNS has it.
fn domain(email: &str) -> Option<String> {
    let (_, domain) = email.trim().rsplit_once('@')?;
    idna::domain_to_ascii_strict(domain).ok().filter(|domain| domain.contains('.'))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, UdpSocket},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    use hickory_resolver::{
        config::{ConnectionConfig, NameServerConfig, ResolverConfig},
        net::runtime::TokioRuntimeProvider,
        proto::{
            op::{Message, MessageType, ResponseCode},
            rr::{
                Record,
                rdata::{A, MX},
            },
        },
    };

    use super::*;
    use crate::domain::LeadDraft;

    /// A name server that answers by the name, and counts the questions.
    fn server() -> (u16, Arc<AtomicUsize>) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                count.fetch_add(1, Ordering::Relaxed);
                let question = Message::from_vec(&buffer[..length]).expect("a question");
                let query = question.queries[0].clone();
                let (name, kind) = (query.name().clone(), query.query_type());
                let mx = |exchange: &str| RData::MX(MX::new(10, Name::from_ascii(exchange).expect("a name")));
                let address = RData::A(A::new(192, 0, 2, 1));
                let (code, data) = match (name.to_ascii().as_str(), kind) {
                    ("good.example.", RecordType::MX) => (ResponseCode::NoError, Some(mx("mail.good.example."))),
                    ("null.example.", RecordType::MX) => (ResponseCode::NoError, Some(mx("."))),
                    ("address.example.", RecordType::A) => (ResponseCode::NoError, Some(address)),
                    ("address.example." | "nothing.example.", _) => (ResponseCode::NoError, None),
                    ("broken.example.", _) => (ResponseCode::ServFail, None),
                    ("silent.example.", _) => continue,
                    _ => (ResponseCode::NXDomain, None),
                };
                let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
                assert_eq!(answer.metadata.message_type, MessageType::Response);
                answer.metadata.response_code = code;
                answer.add_query(query);
                data.into_iter().for_each(|data| {
                    answer.add_answer(Record::from_rdata(name.clone(), 300, data));
                });
                let _ = socket.send_to(&answer.to_vec().expect("an answer"), from);
            }
        });
        (port, asked)
    }

    #[tokio::test]
    async fn only_domains_that_surely_take_no_mail_are_told() {
        let (port, asked) = server();
        let mut connection = ConnectionConfig::udp();
        connection.port = port;
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = Duration::from_millis(400);
        builder.options_mut().attempts = 1;
        let mail = MailDomains { resolver: builder.build().expect("a resolver"), timeout: Duration::from_secs(5) };
        let draft =
            |domain: &str| Draft::Lead(LeadDraft { email: Some(format!("a@{domain}")), ..LeadDraft::default() });
        let domains = ["Good.example", "null.example", "address.example", "nothing.example", "broken.example"];
        let drafts: Vec<_> =
            domains.iter().chain(&["silent.example", "gone.example", "localhost"]).map(|d| draft(d)).collect();
        let none = mail.without_mail(drafts.iter()).await;
        assert_eq!(none.into_iter().collect::<Vec<_>>(), ["gone.example", "nothing.example", "null.example"]);

        let before = asked.load(Ordering::Relaxed);
        let again = [draft("good.example"), draft("null.example")];
        assert_eq!(mail.without_mail(again.iter()).await.len(), 1);
        assert_eq!(asked.load(Ordering::Relaxed), before, "answers are kept");
    }
}
