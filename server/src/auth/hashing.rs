//! bcrypt with rests: the cipher is a library's, and so is the form of the texts; only the loop that makes it slow is here, so that it
//! can step aside ([`Pace`]).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use bcrypt::{BASE_64, HashParts};
use blowfish::Blowfish;

use crate::bulk::Pace;

/// No more of a password is looked at.
pub(super) const MOST_BYTES: usize = 72;
/// What is encrypted with the key that a password gives.
const TEXT: &[u8; 24] = b"OrpheanBeholderScryDoubt";
/// How much of the result a hash keeps.
const KEPT: usize = 23;

/// The hash of a password, in the form that Go writes. `cost` is 4 to 31.
pub(super) fn hash(password: &str, cost: u32, salt: [u8; 16]) -> String {
    let hashed = digest(password, cost, salt);
    format!("$2a${cost:02}${}{}", BASE_64.encode(salt), BASE_64.encode(hashed))
}

/// What can be read of a hash: cost and salt. None, if it has no form or cost that there is.
pub(super) fn parts(hashed: &str) -> Option<HashParts> {
    hashed.parse::<HashParts>().ok().filter(|parts| (4..=31).contains(&parts.get_cost()))
}

/// Whether it is the password of that hash. How long it takes tells nothing but its cost.
pub(super) fn verify(password: &str, hashed: &str) -> bool {
    let Some(parts) = parts(hashed) else { return false };
    let kept = hashed.get(29..).and_then(|text| BASE_64.decode(text).ok()).unwrap_or_default();
    let hashed = digest(password, parts.get_cost(), parts.get_salt_raw());
    verify_slices_are_equal(&hashed, &kept).is_ok()
}

fn digest(password: &str, cost: u32, salt: [u8; 16]) -> [u8; KEPT] {
    // With the zero byte that ends a string of C, if there is room for it.
    let mut key: Vec<u8> = password.bytes().take(MOST_BYTES).collect();
    if key.len() < MOST_BYTES {
        key.push(0);
    }
    let mut pace = Pace::begin();
    let mut cipher = Blowfish::bc_init_state();
    cipher.salted_expand_key(&salt, &key);
    for _ in 0..1_u64 << cost {
        cipher.bc_expand_key(&key);
        cipher.bc_expand_key(&salt);
        pace.step();
    }
    let mut digest = *TEXT;
    for pair in digest.as_chunks_mut::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *pair;
        let mut halves = [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])];
        for _ in 0..64 {
            halves = cipher.bc_encrypt(halves);
        }
        let [[a, b, c, d], [e, f, g, h]] = halves.map(u32::to_be_bytes);
        *pair = [a, b, c, d, e, f, g, h];
    }
    let [kept @ .., _] = digest;
    kept
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn hashes_are_those_of_the_library() {
        let mut rng = rand::rng();
        for len in [0, 1, 2, 7, 8, 17, 70, 71, 72, 73, 100] {
            let password: String = (0..len).map(|_| rng.random_range('\u{1}'..'\u{7f}')).collect();
            for cost in [4, 5, 6] {
                let salt: [u8; 16] = rng.random();
                let theirs = bcrypt::hash_with_salt(&password, cost, salt).unwrap();
                let ours = hash(&password, cost, salt);
                assert_eq!(ours, theirs.format_for_version(bcrypt::Version::TwoA), "{password:?}");
                assert!(bcrypt::verify(&password, &ours).unwrap() && verify(&password, &ours));
                for version in [bcrypt::Version::TwoB, bcrypt::Version::TwoX, bcrypt::Version::TwoY] {
                    assert!(verify(&password, &theirs.format_for_version(version)));
                }
            }
        }
    }

    #[test]
    fn a_wrong_password_and_a_damaged_hash_are_refused() {
        let hashed = hash("secret", 4, [7; 16]);
        for wrong in ["", "Secret", "secret ", "secre"] {
            assert!(!verify(wrong, &hashed), "{wrong:?}");
        }
        for at in 0..hashed.len() {
            for replacement in ["$", "A", "9", "é"] {
                let mut damaged = hashed.clone();
                damaged.replace_range(at..=at, replacement);
                // The last characters of salt and digest have bits that say nothing, and versions are alike.
                if damaged != hashed && verify("secret", &damaged) {
                    assert!([2, 28, 59].contains(&at), "{damaged}");
                }
            }
            assert!(!verify("secret", &hashed[..at]));
        }
    }
}
