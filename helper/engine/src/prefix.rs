//! Address prefixes, and the table that finds the longest one covering an address.
use ipnetwork::IpNetwork;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network such as `10.0.0.0/8`; bits beyond the length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    v6: bool,
    /// Left-aligned.
    bits: u128,
    len: u8,
}

impl Prefix {
    /// None when `len` is longer than the address. Host bits are cleared.
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        let (v6, bits) = split(addr);
        let max = if v6 { 128 } else { 32 };
        (len <= max).then(|| Self { v6, bits: bits & mask(len), len })
    }

    pub fn addr(&self) -> IpAddr {
        if self.v6 { Ipv6Addr::from(self.bits).into() } else { Ipv4Addr::from((self.bits >> 96) as u32).into() }
    }

    pub fn len(&self) -> u8 {
        self.len
    }

    /// Whether it covers every address of its family.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl From<IpNetwork> for Prefix {
    fn from(net: IpNetwork) -> Self {
        Self::new(net.ip(), net.prefix()).expect("IpNetwork's prefix is never longer than its address")
    }
}

impl From<Prefix> for IpNetwork {
    fn from(prefix: Prefix) -> Self {
        Self::new(prefix.addr(), prefix.len).expect("Prefix's length is never longer than its address")
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.len)
    }
}

impl FromStr for Prefix {
    type Err = String;

    /// `ADDRESS` or `ADDRESS/LENGTH`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not an address prefix");
        let (addr, len) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let addr: IpAddr = addr.parse().map_err(|_| bad())?;
        let len = match len {
            None => {
                if addr.is_ipv6() {
                    128
                } else {
                    32
                }
            }
            Some(len) if len.bytes().all(|b| b.is_ascii_digit()) => len.parse().map_err(|_| bad())?,
            Some(_) => return Err(bad()),
        };
        Self::new(addr, len).ok_or_else(bad)
    }
}

/// Owners by longest prefix. Built once and then only read.
#[derive(Clone, Debug)]
pub struct Table<T> {
    /// One map a length that occurs, longest first; there are few.
    v4: Vec<(u8, HashMap<u128, T>)>,
    v6: Vec<(u8, HashMap<u128, T>)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new() }
    }
}

impl<T> Table<T> {
    /// The owner of the longest prefix that covers `addr`.
    pub fn find(&self, addr: IpAddr) -> Option<&T> {
        let (v6, bits) = split(addr);
        let maps = if v6 { &self.v6 } else { &self.v4 };
        maps.iter().find_map(|(len, map)| map.get(&(bits & mask(*len))))
    }
}

impl<T> FromIterator<(Prefix, T)> for Table<T> {
    /// A prefix that occurs again belongs to the last who has it.
    fn from_iter<I: IntoIterator<Item = (Prefix, T)>>(entries: I) -> Self {
        let mut table = Self::default();
        for (prefix, owner) in entries {
            let maps = if prefix.v6 { &mut table.v6 } else { &mut table.v4 };
            let at = match maps.binary_search_by(|(len, _)| prefix.len.cmp(len)) {
                Ok(at) => at,
                Err(at) => {
                    maps.insert(at, (prefix.len, HashMap::new()));
                    at
                }
            };
            maps[at].1.insert(prefix.bits, owner);
        }
        table
    }
}

fn split(addr: IpAddr) -> (bool, u128) {
    match addr {
        IpAddr::V4(a) => (false, u128::from(u32::from(a)) << 96),
        IpAddr::V6(a) => (true, u128::from(a)),
    }
}

fn mask(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, char)]) -> Table<char> {
        entries.iter().map(|(p, o)| (p.parse().unwrap(), *o)).collect()
    }

    #[test]
    fn the_longest_prefix_owns_an_address() {
        let t = table(&[
            ("0.0.0.0/0", 'a'),
            ("10.0.0.0/8", 'b'),
            ("10.1.0.0/16", 'c'),
            ("10.1.2.3/32", 'd'),
            ("::/0", 'e'),
            ("fd00::/8", 'f'),
            ("fd00::1", 'g'),
        ]);
        for (addr, owner) in [
            ("192.0.2.1", 'a'),
            ("10.9.9.9", 'b'),
            ("10.1.9.9", 'c'),
            ("10.1.2.3", 'd'),
            ("2001:db8::1", 'e'),
            ("fd00::2", 'f'),
            ("fd00::1", 'g'),
        ] {
            assert_eq!(t.find(addr.parse().unwrap()), Some(&owner), "{addr}");
        }
    }

    #[test]
    fn without_a_covering_prefix_there_is_no_owner() {
        let t = table(&[("10.0.0.0/8", 'a'), ("fd00::/8", 'b')]);
        for addr in ["11.0.0.0", "9.255.255.255", "fc00::1", "::ffff:10.0.0.1"] {
            assert_eq!(t.find(addr.parse().unwrap()), None, "{addr}");
        }
    }

    #[test]
    fn a_prefix_goes_to_the_last_who_claims_it() {
        let t = table(&[("10.0.0.0/8", 'a'), ("10.1.2.3/8", 'b')]);
        assert_eq!(t.find("10.0.0.1".parse().unwrap()), Some(&'b'));
    }

    #[test]
    fn prefixes_are_read_and_written() {
        for (text, shown) in
            [("10.1.2.3", "10.1.2.3/32"), ("10.1.2.3/8", "10.0.0.0/8"), ("fd00::1/64", "fd00::/64"), ("::/0", "::/0")]
        {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), shown);
        }
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "10.0.0/8", "10.0.0.0/", "/8", "host"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }
}
