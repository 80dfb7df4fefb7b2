//! Under which names the replica is reached, and who may use its controls.
//!
//! A page of another site can have its own name lead to this machine (DNS rebinding); a browser then
//! takes the replica for a part of that site. So the name that a request was sent to is checked
//! wherever there is no signature to check.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use sha2::{Digest, Sha256};

/// The domain of this machine. Browsers take every name below it for this machine too (RFC 6761).
const LOCALHOST: &str = "localhost";

/// Under which names the replica is reached, and who may use its controls. By default: this machine's
/// own names, and whoever can use them.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Further domains, in lower case and without a port, beside `localhost`. Below each, canisters
    /// have hosts of their own: `<canister id>.<domain>`.
    pub domains: Vec<String>,
    /// A file with a line `<host>:<canister id>` for each canister that has a name. It is read
    /// whenever such a host is asked for; `icp` writes it anew at each deployment.
    pub names: Option<PathBuf>,
    /// What a request to the controls must carry, as `authorization: Bearer <token>`. A replica that
    /// others can reach needs one.
    pub token: Option<String>,
}

impl Access {
    /// The domains, this machine's own first.
    pub(super) fn domains(&self) -> impl Iterator<Item = &str> {
        std::iter::once(LOCALHOST).chain(self.domains.iter().map(String::as_str))
    }

    /// Whether a host is one of this machine's own names and addresses, or of the further domains.
    pub(super) fn knows(&self, host: &str) -> bool {
        is_loopback(host)
            || self.domains().any(|domain| {
                let rest = host.strip_suffix(domain);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
    }

    /// Whether a page of this origin may use the controls. A token says more than an origin.
    pub(super) fn allows(&self, origin: &HeaderValue) -> bool {
        self.token.is_some() || self.is_own(origin)
    }

    fn is_own(&self, origin: &HeaderValue) -> bool {
        let uri: Option<Uri> = origin.to_str().ok().and_then(|text| text.parse().ok());
        let host = uri.as_ref().and_then(Uri::host);
        host.is_some_and(|host| {
            let host = host.to_lowercase();
            // Below a domain are the pages of canisters.
            is_loopback(&host) || self.domains().any(|domain| domain == host)
        })
    }

    /// Whether a request carries the token, if one is needed.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        // Digests take as long to compare wherever they differ.
        given.is_some_and(|given| Sha256::digest(given.trim()) == Sha256::digest(token))
    }
}

/// The name or address that a request was sent to: in lower case, without its port.
pub(super) fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let authority = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(header::HOST)?.to_str().ok()?,
    };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    Some(host.trim_end_matches('.').to_lowercase())
}

/// Whether a host is an address of this machine alone.
fn is_loopback(host: &str) -> bool {
    let v6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match v6 {
        Some(address) => address
            .parse()
            .is_ok_and(|address: Ipv6Addr| address.is_loopback()),
        None => host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_names_and_the_domains_given_are_known() {
        let access = Access {
            domains: vec!["my-app.test".to_owned()],
            ..Access::default()
        };
        for (host, known) in [
            ("localhost", true),
            ("frontend.local.localhost", true),
            ("127.0.0.1", true),
            ("127.1.2.3", true),
            ("[::1]", true),
            ("my-app.test", true),
            ("a.my-app.test", true),
            ("example.com", false),
            ("notlocalhost", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1", false),
            ("[::2]", false),
            ("", false),
        ] {
            assert_eq!(access.knows(host), known, "{host}");
        }
    }

    #[test]
    fn host_is_what_stands_before_the_port() {
        for (written, host_) in [
            ("LocalHost:8000", "localhost"),
            ("localhost.", "localhost"),
            ("[::1]:8000", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            let headers = [(header::HOST, HeaderValue::from_str(written).unwrap())];
            let headers = headers.into_iter().collect();
            assert_eq!(host(&Uri::from_static("/"), &headers).unwrap(), host_);
        }
        let absolute = Uri::from_static("http://a.localhost:1/path");
        assert_eq!(host(&absolute, &HeaderMap::new()).unwrap(), "a.localhost");
        assert_eq!(host(&Uri::from_static("/"), &HeaderMap::new()), None);
    }
}
