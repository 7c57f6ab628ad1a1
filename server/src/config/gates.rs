//! Feature gates: switches for behaviour that is not, or not yet, on for everybody.

/// What a gate switches. The order is that of `GATES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    AllAlpha,
    AllBeta,
    CompactHashCheck,
    FastLeaseKeepAlive,
    InitialCorruptCheck,
    LeaseCheckpoint,
    LeaseCheckpointPersist,
    PriorityRequest,
    SetMemberLocalAddr,
    StopGrpcServiceOnDefrag,
    TxnModeWriteWithSharedBuffer,
}

/// How settled a gate's feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Alpha,
    Beta,
}

impl Stage {
    /// As the metric's label spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Alpha => "ALPHA",
            Stage::Beta => "BETA",
        }
    }
}

/// A row of the gate table.
#[derive(Clone, Copy, Debug)]
pub struct GateInfo {
    pub gate: Gate,
    pub name: &'static str,
    pub stage: Stage,
    pub default: bool,
    /// Why it has no effect here, if so.
    pub without_effect: Option<&'static str>,
}

const fn gate(gate: Gate, name: &'static str, stage: Stage, default: bool) -> GateInfo {
    GateInfo { gate, name, stage, default, without_effect: None }
}

impl GateInfo {
    const fn inert(self, why: &'static str) -> GateInfo {
        GateInfo { without_effect: Some(why), ..self }
    }
}

/// Every gate, in the order of [`Gate`].
pub(super) const GATES: [GateInfo; 11] = [
    gate(Gate::AllAlpha, "AllAlpha", Stage::Alpha, false),
    gate(Gate::AllBeta, "AllBeta", Stage::Beta, false),
    gate(Gate::CompactHashCheck, "CompactHashCheck", Stage::Alpha, false),
    gate(Gate::FastLeaseKeepAlive, "FastLeaseKeepAlive", Stage::Beta, true),
    gate(Gate::InitialCorruptCheck, "InitialCorruptCheck", Stage::Alpha, false),
    gate(Gate::LeaseCheckpoint, "LeaseCheckpoint", Stage::Alpha, false),
    gate(Gate::LeaseCheckpointPersist, "LeaseCheckpointPersist", Stage::Alpha, false)
        .inert("checkpoints are always in the database"),
    gate(Gate::PriorityRequest, "PriorityRequest", Stage::Alpha, false)
        .inert("where too many requests wait, further ones are refused alike"),
    gate(Gate::SetMemberLocalAddr, "SetMemberLocalAddr", Stage::Alpha, false)
        .inert("the system says which address peers are called from"),
    gate(Gate::StopGrpcServiceOnDefrag, "StopGRPCServiceOnDefrag", Stage::Alpha, false)
        .inert("a member serves while it is defragmented"),
    gate(Gate::TxnModeWriteWithSharedBuffer, "TxnModeWriteWithSharedBuffer", Stage::Beta, true)
        .inert("there is no such buffer"),
];

/// Why a `--feature-gates` value is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    #[error("unrecognized feature gate: {0}")]
    Unknown(String),
    #[error("missing bool value for {0}")]
    MissingValue(String),
    #[error("invalid value of {gate}: {value}, want a boolean")]
    NotBool { gate: String, value: String },
    #[error("enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint")]
    PersistWithoutCheckpoint,
}

/// The state of every gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureGates([bool; GATES.len()]);

impl Default for FeatureGates {
    fn default() -> Self {
        FeatureGates(GATES.map(|g| g.default))
    }
}

impl FeatureGates {
    /// Reads `Gate=bool,...`. A gate's own setting wins over its stage's, whatever the order.
    pub fn parse(text: &str) -> Result<FeatureGates, GateError> {
        let mut settings: [Option<bool>; GATES.len()] = [None; GATES.len()];
        for pair in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| GateError::MissingValue(pair.to_owned()))?;
            let (name, value) = (name.trim(), value.trim());
            let known = GATES.iter().zip(&mut settings).find(|(g, _)| g.name == name);
            let (_, setting) = known.ok_or_else(|| GateError::Unknown(name.to_owned()))?;
            let value = super::flag::parse_bool(value)
                .ok_or_else(|| GateError::NotBool { gate: name.to_owned(), value: value.to_owned() })?;
            *setting = Some(value);
        }
        let whole_stage = |stage| match stage {
            Stage::Alpha => settings[Gate::AllAlpha as usize],
            Stage::Beta => settings[Gate::AllBeta as usize],
        };
        let mut gates = FeatureGates::default();
        for ((info, setting), state) in GATES.iter().zip(&settings).zip(&mut gates.0) {
            let is_stage = matches!(info.gate, Gate::AllAlpha | Gate::AllBeta);
            let of_stage = if is_stage { None } else { whole_stage(info.stage) };
            *state = setting.or(of_stage).unwrap_or(info.default);
        }
        if gates.enabled(Gate::LeaseCheckpointPersist) && !gates.enabled(Gate::LeaseCheckpoint) {
            return Err(GateError::PersistWithoutCheckpoint);
        }
        Ok(gates)
    }

    pub fn enabled(&self, gate: Gate) -> bool {
        self.0[gate as usize]
    }

    /// Names of those that are set to what has no effect.
    pub(super) fn inert(&self) -> impl Iterator<Item = &'static str> {
        let set = self.iter().filter(|(info, state)| info.without_effect.is_some() && *state != info.default);
        set.map(|(info, _)| info.name)
    }

    /// Every gate with its state.
    pub fn iter(&self) -> impl Iterator<Item = (&'static GateInfo, bool)> {
        GATES.iter().zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (i, info) in GATES.iter().enumerate() {
            assert_eq!(info.gate as usize, i);
        }
    }

    #[test]
    fn own_settings_win_over_the_stage() {
        let gates = FeatureGates::parse("PriorityRequest=false, AllAlpha=true,FastLeaseKeepAlive=0").unwrap();
        assert!(gates.enabled(Gate::LeaseCheckpoint));
        assert!(!gates.enabled(Gate::PriorityRequest));
        assert!(!gates.enabled(Gate::FastLeaseKeepAlive));
        assert!(gates.enabled(Gate::TxnModeWriteWithSharedBuffer));
        assert!(!gates.enabled(Gate::AllBeta));
        assert!(!FeatureGates::parse("AllBeta=false").unwrap().enabled(Gate::FastLeaseKeepAlive));
        assert_eq!(FeatureGates::parse("").unwrap(), FeatureGates::default());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let error = |text: &str| FeatureGates::parse(text).unwrap_err().to_string();
        assert_eq!(error("Nope=true"), "unrecognized feature gate: Nope");
        assert_eq!(error("AllAlpha"), "missing bool value for AllAlpha");
        assert_eq!(error("AllAlpha=yes"), "invalid value of AllAlpha: yes, want a boolean");
        assert!(error("LeaseCheckpointPersist=true").contains("requires enabling feature gate LeaseCheckpoint"));
    }
}
