//! What a caller of claviger's own API is told when it does not get what it asked for.

use claviger_core::check_report::CheckReport;
use claviger_core::refusal::Refusal;
use claviger_service::native::NativeError;
use serde::Serialize;

/// A refusal in its HTTP form.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What was found on the nodes, where that is the reason.
    pub(crate) check: Option<Box<CheckReport>>,
}

impl Fault {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            check: None,
        }
    }

    /// The request cannot be understood.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "Invalid", message)
    }

    /// A body that is not what the route takes. serde's own words may quote a value, which may be
    /// a password put in the wrong place, so only those kinds that name fields are passed on.
    pub(crate) fn of_json(error: &serde_json::Error) -> Self {
        let told = error.to_string();
        let names_fields = ["unknown field", "missing field", "duplicate field"]
            .iter()
            .any(|kind| told.starts_with(kind));
        Self::invalid(if names_fields {
            told
        } else {
            format!(
                "the body is not what is expected here, line {} column {}",
                error.line(),
                error.column()
            )
        })
    }

    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        #[derive(Serialize)]
        struct Told<'a> {
            error: Error<'a>,
            request_id: &'a str,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            code: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            check: Option<&'a CheckReport>,
        }
        let told = Told {
            error: Error {
                code: self.code,
                message: &self.message,
                check: self.check.as_deref(),
            },
            request_id,
        };
        // Texts and reports always have a JSON form.
        serde_json::to_vec(&told).unwrap_or_default()
    }
}

impl From<NativeError> for Fault {
    fn from(error: NativeError) -> Self {
        let fault = Self::new(error.status(), error.word(), error.message());
        match error {
            NativeError::CheckFailed(report) => Self {
                check: Some(report),
                ..fault
            },
            _ => fault,
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        NativeError::Refused(refusal).into()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use claviger_service::native::NewAccount;

    fn told(json: &str) -> String {
        Fault::of_json(&serde_json::from_str::<NewAccount>(json).unwrap_err()).message
    }

    #[test]
    fn values_are_not_quoted() {
        for json in [
            r#"{"name":"a","password":"p4ssword","client_token":["p4ssword"]}"#,
            r#"{"name":{"p4ssword":1}}"#,
            r#""p4ssword""#,
            r#"{"name":"p4ssword"#,
        ] {
            assert!(!told(json).contains("p4ssword"), "{}", told(json));
        }
        assert!(told(r#"{"name":"a","pasword":"x"}"#).contains("pasword"));
        assert!(told(r#"{"name":"a"}"#).contains("missing field `password`"));
    }
}
