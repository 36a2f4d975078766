//! Every route of claviger's own API, as data: the router, the metrics' labels and the test of
//! the OpenAPI document read the same table.

use percent_encoding::percent_decode_str;

/// What is asked of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListInstances,
    AddInstance,
    ShowInstance,
    SetInstance,
    RemoveInstance,
    CheckInstance,
    AdoptUsers,
    PlanInstance,
    InstanceStatus,
    Status,
    ListAccounts,
    CreateAccount,
    ShowAccount,
    ModifyAccount,
    DeleteAccount,
    ListTasks,
    ShowTask,
    ListKeys,
    CreateKey,
    RevokeKey,
    RotateKey,
    CreateSession,
    ListPolicies,
    ShowPolicy,
    PutPolicy,
    RemovePolicy,
    TestPolicy,
    Audit,
    VerifyAudit,
    MasterKey,
    RotateMasterKey,
    Info,
    LoginRules,
    Document,
}

impl Operation {
    /// It is told what to do by a JSON body.
    pub(crate) fn takes_body(self) -> bool {
        matches!(
            self,
            Operation::AddInstance
                | Operation::SetInstance
                | Operation::AdoptUsers
                | Operation::CreateAccount
                | Operation::ModifyAccount
                | Operation::CreateKey
                | Operation::RotateKey
                | Operation::CreateSession
                | Operation::PutPolicy
                | Operation::TestPolicy
        )
    }

    /// It asks the nodes themselves, some of which may be down, or reads a great deal.
    pub(crate) fn takes_long(self) -> bool {
        matches!(
            self,
            Operation::AddInstance
                | Operation::CheckInstance
                | Operation::AdoptUsers
                | Operation::PlanInstance
                | Operation::VerifyAudit
        )
    }
}

/// A method on a path.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Below the prefix; a segment in braces stands for any text.
    pub(crate) path: &'static str,
    pub(crate) operation: Operation,
    /// In logs, metrics and the OpenAPI document.
    pub(crate) name: &'static str,
    /// Parameters that the query may carry.
    pub(crate) query: &'static [&'static str],
}

macro_rules! routes {
    ($($method:ident $path:literal $operation:ident $name:literal [$($query:literal),*];)*) => {
        &[$(Route {
            method: stringify!($method),
            path: $path,
            operation: Operation::$operation,
            name: $name,
            query: &[$($query),*],
        }),*]
    };
}

/// Where the API lives.
pub(crate) const PREFIX: &str = "/claviger/v1";

/// All of them.
pub(crate) static ROUTES: &[Route] = routes! {
    GET    "/instances"                      ListInstances  "instance.list"   ["search"];
    POST   "/instances"                      AddInstance    "instance.add"    [];
    GET    "/instances/{id}"                 ShowInstance   "instance.show"   [];
    PATCH  "/instances/{id}"                 SetInstance    "instance.set"    [];
    DELETE "/instances/{id}"                 RemoveInstance "instance.remove" [];
    POST   "/instances/{id}/check"           CheckInstance  "instance.check"  [];
    POST   "/instances/{id}/adopt"           AdoptUsers     "instance.adopt"  [];
    GET    "/instances/{id}/plan"            PlanInstance   "instance.plan"   [];
    GET    "/instances/{id}/status"          InstanceStatus "instance.status" [];
    GET    "/status"                         Status         "status.list"     [];
    GET    "/instances/{id}/accounts"        ListAccounts   "account.list"    [];
    POST   "/instances/{id}/accounts"        CreateAccount  "account.create"  [];
    GET    "/instances/{id}/accounts/{name}" ShowAccount    "account.show"    [];
    PATCH  "/instances/{id}/accounts/{name}" ModifyAccount  "account.modify"  [];
    DELETE "/instances/{id}/accounts/{name}" DeleteAccount  "account.delete"  [];
    GET    "/tasks"                          ListTasks      "task.list"       ["instance", "limit", "offset"];
    GET    "/tasks/{id}"                     ShowTask       "task.show"       ["wait"];
    GET    "/keys"                           ListKeys       "key.list"        [];
    POST   "/keys"                           CreateKey      "key.create"      [];
    DELETE "/keys/{id}"                      RevokeKey      "key.revoke"      [];
    POST   "/keys/{id}/rotate"               RotateKey      "key.rotate"      [];
    POST   "/keys/{id}/sessions"             CreateSession  "key.session"     [];
    GET    "/policies"                       ListPolicies   "policy.list"     [];
    GET    "/policies/{name}"                ShowPolicy     "policy.show"     [];
    PUT    "/policies/{name}"                PutPolicy      "policy.add"      [];
    DELETE "/policies/{name}"                RemovePolicy   "policy.remove"   [];
    POST   "/policy-test"                    TestPolicy     "policy.test"     [];
    GET    "/audit"                          Audit          "audit.list"      ["instance", "account", "key", "outcome", "action", "since", "until", "after", "order", "limit", "offset"];
    GET    "/audit/verify"                   VerifyAudit    "audit.verify"    [];
    GET    "/master-key"                     MasterKey      "master-key.show" [];
    POST   "/master-key/rotate"              RotateMasterKey "master-key.rotate" [];
    GET    "/info"                           Info           "info"            [];
    GET    "/login-rules"                    LoginRules     "login-rules"     ["version", "masterauth"];
    GET    "/openapi.json"                   Document       "openapi"         [];
};

/// The texts that stand for a path's braces, in order.
pub(crate) type Args = Vec<String>;

/// Where a request leads.
pub(crate) enum Found {
    Route(&'static Route, Args),
    /// The path is there, the method is not; these are.
    Methods(Vec<&'static str>),
    Nothing,
}

/// Finds the route of a method on a path as sent.
pub(crate) fn find(method: &str, path: &str) -> Found {
    let Some(below) = path.strip_prefix(PREFIX) else {
        return Found::Nothing;
    };
    let method = if method == "HEAD" { "GET" } else { method };
    let mut methods = Vec::new();
    for route in ROUTES {
        let Some(args) = fit(route.path, below) else {
            continue;
        };
        if route.method == method {
            return Found::Route(route, args);
        }
        methods.push(route.method);
    }
    if methods.is_empty() {
        Found::Nothing
    } else {
        Found::Methods(methods)
    }
}

/// The texts in place of the braces, if the path is of that form. An escaped slash is part of a
/// text; a text that is empty, not UTF-8 or has a NUL byte fits nothing.
fn fit(form: &str, path: &str) -> Option<Args> {
    let (mut form, mut path) = (form.split('/'), path.split('/'));
    let mut args = Args::new();
    loop {
        match (form.next(), path.next()) {
            (None, None) => return Some(args),
            (Some(form), Some(sent)) if form.starts_with('{') => {
                let text = percent_decode_str(sent).decode_utf8().ok()?;
                if text.is_empty() || text.contains('\0') {
                    return None;
                }
                args.push(text.into_owned());
            }
            (Some(form), Some(sent)) if form == sent => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use serde_json::Value;

    fn found(method: &str, path: &str) -> Option<(Operation, Args)> {
        match find(method, path) {
            Found::Route(route, args) => Some((route.operation, args)),
            Found::Methods(_) | Found::Nothing => None,
        }
    }

    #[test]
    fn paths() {
        let args = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(
            found("GET", "/claviger/v1/instances"),
            Some((Operation::ListInstances, args(&[])))
        );
        assert_eq!(
            found("HEAD", "/claviger/v1/instances/r-1"),
            Some((Operation::ShowInstance, args(&["r-1"])))
        );
        assert_eq!(
            found("PATCH", "/claviger/v1/instances/r%2D1/accounts/a%2Fb+c"),
            Some((Operation::ModifyAccount, args(&["r-1", "a/b+c"])))
        );
        for nothing in [
            "/claviger/v1",
            "/claviger/v1/",
            "/claviger/v1/instances/",
            "/claviger/v1/instances//accounts",
            "/claviger/v1/instances/%ff",
            "/claviger/v1/instances/a/b/c",
            "/claviger/v2/instances",
            "/instances",
        ] {
            assert!(matches!(find("GET", nothing), Found::Nothing), "{nothing}");
        }
        let Found::Methods(methods) = find("PUT", "/claviger/v1/instances/r-1") else {
            panic!("the path is there");
        };
        assert_eq!(methods, ["GET", "PATCH", "DELETE"]);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ROUTES.iter().map(|route| route.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len());
    }

    /// The document and the router say the same: paths, methods, names, query parameters.
    #[test]
    fn the_document_tells_every_route() {
        let document: Value = serde_json::from_str(super::super::operations::DOCUMENT).unwrap();
        let mut told = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                let parameters = operation["parameters"].as_array().cloned();
                let query = parameters.unwrap_or_default();
                let query: Vec<_> = query
                    .iter()
                    .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                    .collect();
                let takes_body = operation.get("requestBody").is_some();
                let name = operation["operationId"].as_str().unwrap().to_owned();
                told.push((method.to_uppercase(), path.clone(), name, query, takes_body));
            }
            let braces = path.matches('{').count();
            let named = item["parameters"].as_array().map_or(0, Vec::len);
            assert_eq!(named, braces, "{path}");
        }
        let mut served: Vec<_> = ROUTES
            .iter()
            .map(|route| {
                let query = route.query.iter().map(|&name| name.to_owned()).collect();
                let (method, path) = (route.method.to_owned(), route.path.to_owned());
                let takes_body = route.operation.takes_body();
                (method, path, route.name.to_owned(), query, takes_body)
            })
            .collect();
        told.sort();
        served.sort();
        assert_eq!(told, served);
    }

    /// Every reference of the document leads somewhere.
    #[test]
    fn the_document_has_no_loose_ends() {
        fn walk(part: &Value, whole: &Value) {
            match part {
                Value::Object(fields) => {
                    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                        let pointer = target.strip_prefix('#').unwrap();
                        assert!(whole.pointer(pointer).is_some(), "{target}");
                    }
                    fields.values().for_each(|field| walk(field, whole));
                }
                Value::Array(rows) => rows.iter().for_each(|row| walk(row, whole)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_str(super::super::operations::DOCUMENT).unwrap();
        walk(&document, &document);
    }
}
