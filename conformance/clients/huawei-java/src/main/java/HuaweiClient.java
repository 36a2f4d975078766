import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.core.SdkResponse;
import com.huaweicloud.sdk.core.utils.JsonUtils;
import com.huaweicloud.sdk.dcs.v2.DcsClient;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** The Java SDK of Huawei Cloud, driven by the line protocol of ../../protocol.py. */
public final class HuaweiClient {
    private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();
    private static final String MODELS = "com.huaweicloud.sdk.dcs.v2.model.";
    private DcsClient client;

    private void connect(JsonObject request) {
        BasicCredentials credentials =
                new BasicCredentials()
                        .withAk(request.get("access_key").getAsString())
                        .withSk(request.get("secret_key").getAsString())
                        .withProjectId(request.get("project_id").getAsString());
        String url =
                request.get("protocol").getAsString()
                        + "://"
                        + request.get("endpoint").getAsString();
        client =
                DcsClient.newBuilder()
                        .withCredential(credentials)
                        .withEndpoints(Collections.singletonList(url))
                        .build();
    }

    /** Fills the typed request by its members' wire names, the rest into its body. */
    private Object call(String action, JsonObject params) throws Exception {
        Class<?> kind = Class.forName(MODELS + action + "Request");
        JsonObject whole = new JsonObject();
        JsonObject body = new JsonObject();
        for (Map.Entry<String, JsonElement> entry : params.entrySet()) {
            boolean ofRequest = has(kind, entry.getKey());
            (ofRequest ? whole : body).add(entry.getKey(), entry.getValue());
        }
        if (has(kind, "body")) {
            whole.add("body", body);
        }
        Object request = JsonUtils.toObject(GSON.toJson(whole), kind);
        String name = action.substring(0, 1).toLowerCase() + action.substring(1);
        Method method = DcsClient.class.getMethod(name, kind);
        SdkResponse response = (SdkResponse) method.invoke(client, request);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("status", response.getHttpStatusCode());
        answer.put("body", GSON.fromJson(JsonUtils.toJSON(response), JsonObject.class));
        return answer;
    }

    private static boolean has(Class<?> kind, String wireName) {
        StringBuilder name = new StringBuilder();
        for (String part : wireName.split("_")) {
            name.append(part.substring(0, 1).toUpperCase()).append(part.substring(1));
        }
        for (Method method : kind.getMethods()) {
            if (method.getName().equals("set" + name)) {
                return true;
            }
        }
        return false;
    }

    private Map<String, Object> answer(JsonObject request) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("ok", true);
        try {
            if (request.get("op").getAsString().equals("connect")) {
                connect(request);
            } else {
                String action = request.get("action").getAsString();
                answer.put("body", call(action, request.getAsJsonObject("params")));
            }
        } catch (Throwable thrown) {
            Throwable error =
                    thrown instanceof InvocationTargetException ? thrown.getCause() : thrown;
            answer.put("ok", false);
            answer.put("type", error.getClass().getSimpleName());
            answer.put("code", "");
            answer.put("status", 0);
            answer.put("message", String.valueOf(error.getMessage()));
            if (error instanceof ServiceResponseException) {
                ServiceResponseException refused = (ServiceResponseException) error;
                answer.put("code", String.valueOf(refused.getErrorCode()));
                answer.put("status", refused.getHttpStatusCode());
                answer.put("message", String.valueOf(refused.getErrorMsg()));
            }
        }
        return answer;
    }

    public static void main(String[] words) throws Exception {
        HuaweiClient program = new HuaweiClient();
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(GSON.toJson(program.answer(GSON.fromJson(line, JsonObject.class))));
        }
    }
}
