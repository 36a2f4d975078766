import com.aliyun.r_kvstore20150101.Client;
import com.aliyun.tea.TeaException;
import com.aliyun.tea.TeaModel;
import com.aliyun.teaopenapi.models.Config;
import com.google.gson.JsonObject;
import com.google.gson.reflect.TypeToken;
import java.util.Map;

/** com.aliyun:r_kvstore20150101, the generation over tea-openapi. */
public final class New implements Protocol.Program {
    private Client client;

    public static void main(String[] arguments) throws Exception {
        Protocol.serve(new New());
    }

    @Override
    public void connect(JsonObject request) throws Exception {
        client =
                new Client(
                        new Config()
                                .setRegionId("cn-hangzhou")
                                .setEndpoint(request.get("endpoint").getAsString())
                                .setProtocol(request.get("protocol").getAsString())
                                .setAccessKeyId(request.get("access_key").getAsString())
                                .setAccessKeySecret(request.get("secret_key").getAsString()));
    }

    @Override
    public Object call(String action, JsonObject params) throws Exception {
        Class<?> type = Class.forName("com.aliyun.r_kvstore20150101.models." + action + "Request");
        Map<String, Object> values =
                Protocol.GSON.fromJson(params, new TypeToken<Map<String, Object>>() {}.getType());
        TeaModel request = TeaModel.toModel(values, (TeaModel) type.getConstructor().newInstance());
        String method = Character.toLowerCase(action.charAt(0)) + action.substring(1);
        Object response = Client.class.getMethod(method, type).invoke(client, request);
        TeaModel body = (TeaModel) response.getClass().getMethod("getBody").invoke(response);
        return body.toMap();
    }

    @Override
    public void describe(Throwable error, Map<String, Object> answer) {
        if (error instanceof TeaException) {
            TeaException tea = (TeaException) error;
            Object status = tea.getStatusCode();
            if (status == null && tea.getData() != null) {
                status = tea.getData().get("statusCode");
            }
            answer.put("code", tea.getCode());
            answer.put("status", status);
        }
    }
}
