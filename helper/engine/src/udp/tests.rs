//! Both sockets as a whole, on every system.
use super::*;
use crate::arrived::{Arrived, Taken};
use std::net::UdpSocket;

#[test]
fn datagrams_come_out_as_they_were_sent() {
    let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
    let there = UdpSocket::bind("127.0.0.1:0").unwrap();
    for i in 0..40u8 {
        there.send_to(&vec![i; 1 + usize::from(i)], ("127.0.0.1", sockets.port)).unwrap();
    }
    let socket = sockets.v4.as_ref().unwrap();
    let mut arrived = Arrived::default();
    let mut seen = 0;
    while receive(socket, &mut arrived).is_ok() {
        for i in 0..arrived.count() {
            let from = arrived.from(i);
            assert_eq!(from, there.local_addr().unwrap());
            let arrival = arrived.arrival(&from);
            assert!(arrival.is_none_or(|a| a.local == IpAddr::from([127, 0, 0, 1])), "{arrival:?}");
            let Taken::Control(bytes) = arrived.take(i) else { panic!() };
            assert_eq!(bytes, vec![seen as u8; 1 + seen]);
            seen += 1;
        }
        arrived.clear();
    }
    assert_eq!(seen, 40);
}

#[test]
fn a_datagram_says_where_it_arrived_unless_another_says_otherwise() {
    let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
    let mut arrived = Arrived::default();
    for (there, locals) in
        [("127.0.0.9", vec!["127.0.0.3"]), ("127.0.0.9", vec!["127.0.0.3", "127.0.0.4"]), ("::1", vec!["::1"])]
    {
        let there = UdpSocket::bind((there, 0)).unwrap();
        for local in &locals {
            there.send_to(&[1], (*local, sockets.port)).unwrap();
        }
        let from = there.local_addr().unwrap();
        let socket = sockets.towards(&from).unwrap();
        arrived.clear();
        receive(socket, &mut arrived).unwrap();
        assert_eq!(arrived.count(), locals.len());
        let expected = (locals.len() == 1).then(|| locals[0].parse().unwrap());
        assert_eq!(arrived.arrival(&from).map(|a| a.local), expected);
    }
}

#[test]
fn both_families_share_a_port() {
    let (sockets, _) = Sockets::open(&Binding::default()).unwrap();
    assert_ne!(sockets.port, 0);
    for socket in sockets.each() {
        assert_eq!(socket.raw.local().unwrap().port(), sockets.port);
    }
}

#[test]
fn closing_is_reported_and_frees_the_port() {
    let (sockets, closed) = Sockets::open(&Binding::default()).unwrap();
    let binding = Binding { port: sockets.port, ..Binding::default() };
    assert_eq!(Sockets::open(&binding).unwrap_err().raw_os_error(), Some(errno::EADDRINUSE));
    assert_eq!(closed.try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(sockets);
    assert_eq!(closed.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    assert_eq!(Sockets::open(&binding).unwrap().0.port, binding.port);
}
