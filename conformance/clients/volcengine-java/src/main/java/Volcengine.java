import com.google.gson.JsonObject;
import com.google.gson.reflect.TypeToken;
import com.volcengine.ApiClient;
import com.volcengine.ApiException;
import com.volcengine.ContentType;
import com.volcengine.HttpMethod;
import com.volcengine.UniversalApi;
import com.volcengine.UniversalRequest;
import com.volcengine.sign.Credentials;
import java.io.FileInputStream;
import java.util.Map;

/** com.volcengine:volcengine-java-sdk-core and its calls by name; it has no models of Redis. */
public final class Volcengine implements Protocol.Program {
    private UniversalApi api;

    public static void main(String[] arguments) throws Exception {
        Protocol.serve(new Volcengine());
    }

    @Override
    public void connect(JsonObject request) throws Exception {
        String access = request.get("access_key").getAsString();
        String secret = request.get("secret_key").getAsString();
        ApiClient client =
                new ApiClient()
                        .setCredentials(Credentials.getCredentials(access, secret))
                        .setRegion("cn-beijing")
                        .setEndpoint(request.get("endpoint").getAsString())
                        .setDisableSSL(request.get("protocol").getAsString().equals("http"));
        if (!request.get("ca").isJsonNull()) {
            client.setSslCaCert(new FileInputStream(request.get("ca").getAsString()));
        }
        api = new UniversalApi(client);
    }

    @Override
    public Object call(String action, JsonObject params) throws Exception {
        Map<String, Object> body =
                Protocol.GSON.fromJson(params, new TypeToken<Map<String, Object>>() {}.getType());
        UniversalRequest request =
                new UniversalRequest(
                        "redis", action, "2020-12-07", HttpMethod.POST,
                        ContentType.ApplicationJSON);
        // A whole number must stay one: Gson reads every number as a fraction.
        body.replaceAll(
                (name, value) ->
                        value instanceof Double ? (Object) ((Double) value).intValue() : value);
        // The answer as it came, metadata and all.
        return api.doCall(request, body).get("Result");
    }

    @Override
    public void describe(Throwable error, Map<String, Object> answer) {
        if (error instanceof ApiException) {
            ApiException refused = (ApiException) error;
            answer.put("status", refused.getCode());
            if (refused.getResponseBody() != null) {
                JsonObject body =
                        Protocol.GSON.fromJson(refused.getResponseBody(), JsonObject.class);
                JsonObject told =
                        body.getAsJsonObject("ResponseMetadata").getAsJsonObject("Error");
                answer.put("code", told.get("Code").getAsString());
            }
        }
    }
}
