//! Networks in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3).

use std::net::IpAddr;

/// An address and how many of its first bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address is in the network. An IPv4 address that arrives in IPv6's clothes
    /// (`::ffff:192.0.2.1`, as dual-stack sockets show it) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(32 - u32::from(self.prefix)).unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(128 - u32::from(self.prefix)).unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    /// `10.0.0.0/8`, `fd00::/8`, or one address.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| format!("{text:?} is not an address or network"))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix.map(str::parse::<u8>) {
            None => bits,
            Some(Ok(prefix)) if (1..=bits).contains(&prefix) => prefix,
            // Whoever may set the forwarding headers chooses the address that is believed.
            Some(Ok(0)) => return Err(format!("{text:?} trusts every address there is")),
            Some(_) => return Err(format!("{text:?} has no prefix length from 1 to {bits}")),
        };
        let beyond = match address {
            IpAddr::V4(a) => a.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
            IpAddr::V6(a) => a.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
        };
        if beyond {
            return Err(format!("{text:?} has address bits set beyond its prefix"));
        }
        if matches!(address, IpAddr::V6(a) if a.to_ipv4_mapped().is_some()) {
            return Err(format!("{text:?} is an IPv4 network in IPv6 form: write it as IPv4"));
        }
        Ok(Self { address, prefix })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_follows_the_prefix() {
        let inside = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(inside("10.0.0.0/8", "10.255.0.1"));
        assert!(!inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(inside("127.0.0.1", "127.0.0.1"));
        assert!(!inside("127.0.0.1", "127.0.0.2"));
        assert!(inside("fd00::/8", "fdff::1"));
        assert!(!inside("fd00::/8", "10.0.0.1"));
        assert!(inside("2001:db8::1/128", "2001:db8::1"));
    }

    #[test]
    fn sloppy_networks_are_refused() {
        for text in ["", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "::/0", "host/8", "10.0.0.0/", "::1/129"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
