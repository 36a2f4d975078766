// The old Go SDK (RPC V1), driven by the line protocol of ../protocol.py.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	kv "github.com/aliyun/alibaba-cloud-sdk-go/services/r-kvstore"
)

type request struct {
	Op        string            `json:"op"`
	Endpoint  string            `json:"endpoint"`
	Protocol  string            `json:"protocol"`
	AccessKey string            `json:"access_key"`
	SecretKey string            `json:"secret_key"`
	Action    string            `json:"action"`
	Params    map[string]string `json:"params"`
}

type answer struct {
	OK      bool            `json:"ok"`
	Body    json.RawMessage `json:"body,omitempty"`
	Type    string          `json:"type,omitempty"`
	Code    string          `json:"code"`
	Status  int             `json:"status"`
	Message string          `json:"message,omitempty"`
}

var makers = map[string]func() any{
	"CreateAccount":            func() any { return kv.CreateCreateAccountRequest() },
	"DeleteAccount":            func() any { return kv.CreateDeleteAccountRequest() },
	"DescribeAccounts":         func() any { return kv.CreateDescribeAccountsRequest() },
	"DescribeInstances":        func() any { return kv.CreateDescribeInstancesRequest() },
	"GrantAccountPrivilege":    func() any { return kv.CreateGrantAccountPrivilegeRequest() },
	"ModifyAccountDescription": func() any { return kv.CreateModifyAccountDescriptionRequest() },
	"ModifyAccountPassword":    func() any { return kv.CreateModifyAccountPasswordRequest() },
	"ResetAccountPassword":     func() any { return kv.CreateResetAccountPasswordRequest() },
}

type target struct{ endpoint, scheme string }

func connect(r request) (*kv.Client, target, error) {
	secret := credentials.NewAccessKeyCredential(r.AccessKey, r.SecretKey)
	client, err := kv.NewClientWithOptions("cn-hangzhou", sdk.NewConfig(), secret)
	return client, target{r.Endpoint, r.Protocol}, err
}

// call fills the typed request by its members' names and calls the client's typed method.
func call(client *kv.Client, at target, r request) (json.RawMessage, error) {
	maker, known := makers[r.Action]
	if !known {
		return nil, fmt.Errorf("no such action in this program: %s", r.Action)
	}
	typed := reflect.ValueOf(maker())
	members := typed.Elem()
	members.FieldByName("Domain").SetString(at.endpoint)
	members.FieldByName("Scheme").SetString(at.scheme)
	for name, value := range r.Params {
		if name == "RegionId" { // the client adds its own
			continue
		}
		member := members.FieldByName(name)
		if !member.IsValid() {
			return nil, fmt.Errorf("the request has no member %s", name)
		}
		member.SetString(value)
	}
	out := reflect.ValueOf(client).MethodByName(r.Action).Call([]reflect.Value{typed})
	if err, failed := out[1].Interface().(error); failed && err != nil {
		return nil, err
	}
	typedBody, err := json.Marshal(out[0].Interface())
	return typedBody, err
}

func refusal(err error) answer {
	out := answer{Type: fmt.Sprintf("%T", err), Message: err.Error()}
	var server *sdkerrors.ServerError
	if errors.As(err, &server) {
		out.Type, out.Code, out.Status = "ServerError", server.ErrorCode(), server.HttpStatus()
	}
	return out
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	var client *kv.Client
	var at target
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		reply := answer{OK: true}
		if err = json.Unmarshal(line, &r); err == nil {
			if r.Op == "connect" {
				client, at, err = connect(r)
			} else {
				reply.Body, err = call(client, at, r)
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
