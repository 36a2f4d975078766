// The Go SDK, driven by the line protocol of ../protocol.py. Mode is the signature method and the
// HTTP method.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

type request struct {
	Op        string          `json:"op"`
	Endpoint  string          `json:"endpoint"`
	Protocol  string          `json:"protocol"`
	AccessKey string          `json:"access_key"`
	SecretKey string          `json:"secret_key"`
	Mode      string          `json:"mode"`
	Action    string          `json:"action"`
	Params    json.RawMessage `json:"params"`
}

type answer struct {
	OK      bool   `json:"ok"`
	Body    any    `json:"body,omitempty"`
	Type    string `json:"type,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

func connect(r request) (*redis.Client, error) {
	p := profile.NewClientProfile()
	mode := strings.Fields(r.Mode)
	p.SignMethod, p.HttpProfile.ReqMethod = mode[0], mode[1]
	p.HttpProfile.Endpoint = r.Endpoint
	p.HttpProfile.Scheme = strings.ToUpper(r.Protocol)
	return redis.NewClient(common.NewCredential(r.AccessKey, r.SecretKey), "ap-guangzhou", p)
}

var makers = map[string]func() any{
	"CreateInstanceAccount":          func() any { return redis.NewCreateInstanceAccountRequest() },
	"ModifyInstanceAccount":          func() any { return redis.NewModifyInstanceAccountRequest() },
	"DeleteInstanceAccount":          func() any { return redis.NewDeleteInstanceAccountRequest() },
	"DescribeInstanceAccount":        func() any { return redis.NewDescribeInstanceAccountRequest() },
	"ResetPassword":                  func() any { return redis.NewResetPasswordRequest() },
	"ModifyInstancePassword":         func() any { return redis.NewModifyInstancePasswordRequest() },
	"ModfiyInstancePassword":         func() any { return redis.NewModfiyInstancePasswordRequest() },
	"DescribeTaskInfo":               func() any { return redis.NewDescribeTaskInfoRequest() },
	"DescribeTaskList":               func() any { return redis.NewDescribeTaskListRequest() },
	"DescribeInstances":              func() any { return redis.NewDescribeInstancesRequest() },
	"DescribeInstanceSupportFeature": func() any { return redis.NewDescribeInstanceSupportFeatureRequest() },
	"EnableReplicaReadonly":          func() any { return redis.NewEnableReplicaReadonlyRequest() },
	"DisableReplicaReadonly":         func() any { return redis.NewDisableReplicaReadonlyRequest() },
}

// call fills the typed request by its members' wire names and calls the client's typed method.
func call(client *redis.Client, r request) (any, error) {
	maker, known := makers[r.Action]
	if !known {
		return nil, fmt.Errorf("no such action in this program: %s", r.Action)
	}
	typed := maker()
	if err := json.Unmarshal(r.Params, typed); err != nil {
		return nil, err
	}
	out := reflect.ValueOf(client).MethodByName(r.Action).Call(
		[]reflect.Value{reflect.ValueOf(typed)},
	)
	if err, failed := out[1].Interface().(error); failed && err != nil {
		return nil, err
	}
	return out[0].Elem().FieldByName("Response").Interface(), nil
}

func refusal(err error) answer {
	out := answer{Type: fmt.Sprintf("%T", err), Message: err.Error()}
	var refused *sdkerrors.TencentCloudSDKError
	if errors.As(err, &refused) {
		out.Type, out.Code = "TencentCloudSDKError", refused.Code
	}
	return out
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	var client *redis.Client
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		reply := answer{OK: true}
		if err = json.Unmarshal(line, &r); err == nil {
			if r.Op == "connect" {
				client, err = connect(r)
			} else {
				reply.Body, err = call(client, r)
			}
		}
		if err != nil {
			reply = refusal(err)
		}
		if out.Encode(reply) != nil {
			return
		}
	}
}
