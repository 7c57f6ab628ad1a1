//! Versions of a cluster and its members, as far as they are compared: `X.Y.Z`, and what may follow what.

use std::fmt;
use std::str::FromStr;

/// A release. A cluster's version has patch 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
}

/// Not a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version")]
pub(crate) struct NotARelease;

impl Release {
    /// The lowest cluster version there is; what a leader begins with while it cannot ask every member.
    pub(crate) const MIN_CLUSTER: Release = Release { major: 3, minor: 0, patch: 0 };

    /// The cluster version that a release stands for.
    pub(crate) fn cluster(self) -> Release {
        Release { patch: 0, ..self }
    }

    /// What a cluster of this version can be downgraded to.
    pub(crate) fn one_minor_lower(self) -> Option<Release> {
        Some(Release { major: self.major, minor: self.minor.checked_sub(1)?, patch: 0 })
    }

    /// Reads what an operator types, `X.Y` or `X.Y.Z`, as a cluster version.
    pub(crate) fn target(text: &str) -> Result<Release, NotARelease> {
        let release = text.parse().or_else(|_| format!("{text}.0").parse::<Release>())?;
        Ok(release.cluster())
    }

    /// `X.Y`.
    pub(crate) fn minor_text(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl FromStr for Release {
    type Err = NotARelease;

    /// What follows the numbers, such as `-rc.1`, is left out.
    fn from_str(text: &str) -> Result<Release, NotARelease> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u64>().ok()).flatten().ok_or(NotARelease)
        });
        let mut next = || parts.next().unwrap_or(Err(NotARelease));
        let release = Release { major: next()?, minor: next()?, patch: next()? };
        if parts.next().is_some() { Err(NotARelease) } else { Ok(release) }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The version that a cluster should have: none when it should stay as it is.
///
/// `members` is the lowest release among all members, none while one of them could not be asked; `downgrade` is the
/// version that the cluster is being downgraded to.
pub(crate) fn decide(
    cluster: Option<Release>,
    members: Option<Release>,
    downgrade: Option<Release>,
) -> Option<Release> {
    let Some(cluster) = cluster else { return Some(members.map_or(Release::MIN_CLUSTER, Release::cluster)) };
    let members = members?.cluster();
    match downgrade {
        Some(target) => {
            let due = cluster.one_minor_lower() == Some(target) && members.one_minor_lower() == Some(target);
            due.then_some(target)
        }
        None => (cluster < members && cluster.major == members.major).then_some(members),
    }
}

/// Whether every member is of the release that the cluster is being downgraded to; nobody knows while one of them could not be
/// asked.
pub(crate) fn is_downgraded(target: Release, members: Option<&[Release]>) -> bool {
    members.is_some_and(|members| members.iter().all(|release| release.cluster() == target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn reading() {
        assert_eq!(release("3.7.1"), Release { major: 3, minor: 7, patch: 1 });
        assert_eq!(release("3.8.0-alpha.0").to_string(), "3.8.0");
        for bad in
            ["", "3", "3.7", "3.7.x", "3.7.1.2", "v3.7.1", "not_decided", "3.7.-1", "3..1", "3.7.99999999999999999999"]
        {
            assert!(bad.parse::<Release>().is_err(), "{bad}");
        }
        for good in ["3.6", "3.6.0", "3.6.9", "03.6", "3.6.0-alpha"] {
            assert_eq!(Release::target(good), Ok(release("3.6.0")), "{good}");
        }
        for bad in ["", "3", "3.x", "3.6.x", "v3.6", " 3.6", "3.6.0.1"] {
            assert!(Release::target(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn deciding() {
        let (v35, v36, v37) = (release("3.5.0"), release("3.6.0"), release("3.7.0"));
        let member = release("3.7.1");
        assert_eq!(decide(None, Some(member), None), Some(v37));
        assert_eq!(decide(None, None, None), Some(Release::MIN_CLUSTER));
        assert_eq!(decide(Some(Release::MIN_CLUSTER), Some(member), None), Some(v37));
        assert_eq!(decide(Some(v37), Some(member), None), None);
        assert_eq!(decide(Some(v37), Some(release("3.6.4")), None), None, "never lower by itself");
        assert_eq!(decide(Some(v36), None, None), None);
        assert_eq!(decide(Some(v37), Some(member), Some(v36)), Some(v36));
        assert_eq!(decide(Some(v36), Some(member), Some(v36)), None);
        assert_eq!(decide(Some(v37), Some(member), Some(v35)), None);
        assert_eq!(decide(Some(v36), Some(member), None), Some(v37), "a cancelled downgrade");
    }

    #[test]
    fn a_downgrade_ends_with_the_last_member() {
        let target = release("3.6.0");
        let (old, older, new) = (release("3.6.4"), release("3.6.1"), release("3.7.1"));
        assert!(is_downgraded(target, Some(&[old, older])));
        assert!(!is_downgraded(target, Some(&[old, new])));
        assert!(!is_downgraded(target, Some(&[release("3.5.9")])), "lower is another one");
        assert!(!is_downgraded(target, None));
    }
}
