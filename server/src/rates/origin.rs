//! Where somebody comes from, as far as he cannot choose it.

use std::net::IpAddr;

/// What is given out as a whole: a site gets at least 64 bits of an IPv6 address to do with as it likes.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}
