import com.aliyuncs.AcsResponse;
import com.aliyuncs.DefaultAcsClient;
import com.aliyuncs.RpcAcsRequest;
import com.aliyuncs.exceptions.ClientException;
import com.aliyuncs.http.ProtocolType;
import com.aliyuncs.profile.DefaultProfile;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Map;

/** aliyun-java-sdk-r-kvstore: RPC V1. */
public final class Old implements Protocol.Program {
    private DefaultAcsClient client;
    private JsonObject where;

    public static void main(String[] arguments) throws Exception {
        Protocol.serve(new Old());
    }

    @Override
    public void connect(JsonObject request) {
        where = request;
        client =
                new DefaultAcsClient(
                        DefaultProfile.getProfile(
                                "cn-hangzhou",
                                request.get("access_key").getAsString(),
                                request.get("secret_key").getAsString()));
    }

    @Override
    public Object call(String action, JsonObject params) throws Exception {
        Class<?> type =
                Class.forName("com.aliyuncs.r_kvstore.model.v20150101." + action + "Request");
        RpcAcsRequest<?> request = (RpcAcsRequest<?>) type.getConstructor().newInstance();
        request.setSysEndpoint(where.get("endpoint").getAsString());
        request.setSysProtocol(
                where.get("protocol").getAsString().equals("http")
                        ? ProtocolType.HTTP
                        : ProtocolType.HTTPS);
        for (Map.Entry<String, JsonElement> param : params.entrySet()) {
            if (param.getKey().equals("RegionId")) {
                continue; // the profile's own is sent
            }
            type.getMethod("set" + param.getKey(), String.class)
                    .invoke(request, param.getValue().getAsString());
        }
        AcsResponse response = client.getAcsResponse(request);
        return response;
    }

    @Override
    public void describe(Throwable error, Map<String, Object> answer) {
        if (error instanceof ClientException) {
            answer.put("code", ((ClientException) error).getErrCode());
            answer.put("status", null); // this generation does not keep it
        }
    }
}
