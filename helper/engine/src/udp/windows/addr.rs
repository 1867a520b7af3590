//! Socket addresses as Winsock has them.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, IN_ADDR, IN_ADDR_0, IN6_ADDR, IN6_ADDR_0, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_IN6_0,
    SOCKADDR_INET,
};

pub fn empty() -> SOCKADDR_INET {
    // SAFETY: all zeros is a valid SOCKADDR_INET of no family.
    unsafe { std::mem::zeroed() }
}

/// Bytes that the family of this address takes.
pub fn len(addr: &SOCKADDR_INET) -> i32 {
    // SAFETY: every variant begins with the family.
    let v4 = unsafe { addr.si_family } == AF_INET;
    (if v4 { size_of::<SOCKADDR_IN>() } else { size_of::<SOCKADDR_IN6>() }) as i32
}

/// None for another family, or nothing.
pub fn get(addr: &SOCKADDR_INET) -> Option<SocketAddr> {
    // SAFETY: the family says which variant it is; both are plain integers.
    unsafe {
        match addr.si_family {
            AF_INET => {
                let a = addr.Ipv4;
                Some(SocketAddrV4::new(v4(a.sin_addr), u16::from_be(a.sin_port)).into())
            }
            AF_INET6 => {
                let a = addr.Ipv6;
                let scope = a.Anonymous.sin6_scope_id;
                Some(SocketAddrV6::new(v6(a.sin6_addr), u16::from_be(a.sin6_port), 0, scope).into())
            }
            _ => None,
        }
    }
}

pub fn from(addr: SocketAddr) -> SOCKADDR_INET {
    match addr {
        SocketAddr::V4(a) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: a.port().to_be(),
                sin_addr: in_addr(*a.ip()),
                sin_zero: [0; 8],
            },
        },
        SocketAddr::V6(a) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: a.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: in6_addr(*a.ip()),
                Anonymous: SOCKADDR_IN6_0 { sin6_scope_id: a.scope_id() },
            },
        },
    }
}

pub fn v4(addr: IN_ADDR) -> Ipv4Addr {
    // SAFETY: every variant is four bytes of integers.
    Ipv4Addr::from(unsafe { addr.S_un.S_addr }.to_ne_bytes())
}

pub fn v6(addr: IN6_ADDR) -> Ipv6Addr {
    // SAFETY: every variant is sixteen bytes of integers.
    Ipv6Addr::from(unsafe { addr.u.Byte })
}

pub fn in_addr(ip: Ipv4Addr) -> IN_ADDR {
    IN_ADDR { S_un: IN_ADDR_0 { S_addr: u32::from_ne_bytes(ip.octets()) } }
}

pub fn in6_addr(ip: Ipv6Addr) -> IN6_ADDR {
    IN6_ADDR { u: IN6_ADDR_0 { Byte: ip.octets() } }
}

/// An address alone, of no port.
pub fn of(ip: IpAddr) -> SOCKADDR_INET {
    from(SocketAddr::new(ip, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_there_and_back() {
        for text in ["192.0.2.1:51820", "[2001:db8::1]:1", "[fe80::1%3]:65535"] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(get(&from(addr)), Some(addr));
        }
        assert_eq!(get(&empty()), None);
    }
}
