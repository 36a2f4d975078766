import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** The line protocol of ../../protocol.py, for Java. */
final class Protocol {
    static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

    /** What a client program brings: a connection, a call, and how it reads its own exceptions. */
    interface Program {
        void connect(JsonObject request) throws Exception;

        Object call(String action, JsonObject params) throws Exception;

        void describe(Throwable error, Map<String, Object> answer);
    }

    static void serve(Program program) throws Exception {
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(GSON.toJson(answer(program, GSON.fromJson(line, JsonObject.class))));
        }
    }

    private static Map<String, Object> answer(Program program, JsonObject request) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("ok", true);
        try {
            if (request.get("op").getAsString().equals("connect")) {
                program.connect(request);
            } else {
                String action = request.get("action").getAsString();
                answer.put("body", program.call(action, request.getAsJsonObject("params")));
            }
        } catch (Throwable thrown) {
            Throwable error =
                    thrown instanceof InvocationTargetException ? thrown.getCause() : thrown;
            answer.put("ok", false);
            answer.put("type", error.getClass().getSimpleName());
            answer.put("code", "");
            answer.put("status", 0);
            answer.put("message", String.valueOf(error.getMessage()));
            program.describe(error, answer);
        }
        return answer;
    }
}
