import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.tencentcloudapi.common.AbstractModel;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.exception.TencentCloudSDKException;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;
import com.tencentcloudapi.redis.v20180412.RedisClient;
import java.util.Map;

/** tencentcloud-sdk-java-redis; mode is the signature method and the HTTP method. */
public final class Tencent implements Protocol.Program {
    private RedisClient client;

    public static void main(String[] arguments) throws Exception {
        Protocol.serve(new Tencent());
    }

    @Override
    public void connect(JsonObject request) {
        String[] mode = request.get("mode").getAsString().split(" ");
        HttpProfile http = new HttpProfile();
        http.setEndpoint(request.get("endpoint").getAsString());
        http.setProtocol(request.get("protocol").getAsString() + "://");
        http.setReqMethod(mode[1]);
        ClientProfile profile = new ClientProfile(mode[0], http);
        Credential credential =
                new Credential(
                        request.get("access_key").getAsString(),
                        request.get("secret_key").getAsString());
        client = new RedisClient(credential, "ap-guangzhou", profile);
    }

    @Override
    public Object call(String action, JsonObject params) throws Exception {
        Class<?> type =
                Class.forName("com.tencentcloudapi.redis.v20180412.models." + action + "Request");
        Object request = AbstractModel.fromJsonString(params.toString(), type);
        Object answer = RedisClient.class.getMethod(action, type).invoke(client, request);
        return JsonParser.parseString(AbstractModel.toJsonString((AbstractModel) answer));
    }

    @Override
    public void describe(Throwable error, Map<String, Object> answer) {
        if (error instanceof TencentCloudSDKException) {
            answer.put("code", ((TencentCloudSDKException) error).getErrorCode());
            answer.put("status", null);
        }
    }
}
