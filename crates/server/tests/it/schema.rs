//! Holds answers against the OpenAPI document: as much of JSON Schema as the document uses.

use serde_json::Value;

pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn new(document: Value) -> Self {
        Self(document)
    }

    /// What the document says that an operation answers must fit what it answered.
    pub(crate) fn check(&self, name: &str, status: u16, answer: &Value) {
        let operation = self.operation(name);
        let responses = &operation["responses"];
        let response = responses.get(status.to_string());
        let response = response.or(responses.get("default")).expect(name);
        let response = self.resolved(response);
        match response.pointer("/content/application~1json/schema") {
            Some(schema) => self.fit(schema, answer, name),
            None => assert!(
                answer.is_null(),
                "{name}: no body is promised, got {answer}"
            ),
        }
    }

    fn operation(&self, name: &str) -> &Value {
        let paths = self.0["paths"].as_object().unwrap();
        let all = paths
            .values()
            .flat_map(|item| item.as_object().unwrap().values());
        let mut named = all.filter(|operation| operation["operationId"] == name);
        named.next().expect(name)
    }

    fn resolved<'a>(&'a self, part: &'a Value) -> &'a Value {
        match part.get("$ref").and_then(Value::as_str) {
            Some(target) => self.0.pointer(target.strip_prefix('#').unwrap()).unwrap(),
            None => part,
        }
    }

    fn fit(&self, schema: &Value, value: &Value, at: &str) {
        let schema = self.resolved(schema);
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return parts.iter().for_each(|part| self.fit_open(part, value, at));
        }
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            if value.is_null() {
                assert!(
                    choices.iter().any(|choice| choice["type"] == "null"),
                    "{at} is null"
                );
                return;
            }
            return self.fit(&choices[0], value, at);
        }
        self.fit_open(schema, value, at);
        if let (Some(fields), Some(told)) = (value.as_object(), schema.get("properties")) {
            for field in fields.keys() {
                assert!(
                    told.get(field).is_some(),
                    "{at}.{field} is not in the document"
                );
            }
        }
    }

    /// As [`Document::fit`], but fields may be there that the schema does not name.
    fn fit_open(&self, schema: &Value, value: &Value, at: &str) {
        let schema = self.resolved(schema);
        let types = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert!(types.contains(&kind), "{at}: {kind} instead of {types:?}");
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            assert!(
                words.contains(value),
                "{at}: {value} is not one of {words:?}"
            );
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            let name = required.as_str().unwrap();
            assert!(value.get(name).is_some(), "{at}.{name} is missing");
        }
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = value.get(name) {
                self.fit(part, value, &format!("{at}.{name}"));
            }
        }
        for row in value.as_array().into_iter().flatten() {
            self.fit(&schema["items"], row, at);
        }
    }
}
