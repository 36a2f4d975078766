// The Go SDK of Huawei Cloud, driven by the line protocol of ../protocol.py.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	dcs "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dcs/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dcs/v2/model"
)

type request struct {
	Op        string         `json:"op"`
	Endpoint  string         `json:"endpoint"`
	Protocol  string         `json:"protocol"`
	AccessKey string         `json:"access_key"`
	SecretKey string         `json:"secret_key"`
	Project   string         `json:"project_id"`
	Action    string         `json:"action"`
	Params    map[string]any `json:"params"`
}

type answer struct {
	OK      bool   `json:"ok"`
	Body    any    `json:"body,omitempty"`
	Type    string `json:"type,omitempty"`
	Code    string `json:"code"`
	Status  int    `json:"status"`
	Message string `json:"message,omitempty"`
}

func connect(r request) (*dcs.DcsClient, error) {
	credentials, err := basic.NewCredentialsBuilder().
		WithAk(r.AccessKey).WithSk(r.SecretKey).WithProjectId(r.Project).SafeBuild()
	if err != nil {
		return nil, err
	}
	client, err := dcs.DcsClientBuilder().
		WithEndpoint(r.Protocol + "://" + r.Endpoint).WithCredential(credentials).SafeBuild()
	if err != nil {
		return nil, err
	}
	return dcs.NewDcsClient(client), nil
}

var makers = map[string]func() any{
	"ListAclAccounts":            func() any { return new(model.ListAclAccountsRequest) },
	"CreateAclAccount":           func() any { return new(model.CreateAclAccountRequest) },
	"DeleteAclAccount":           func() any { return new(model.DeleteAclAccountRequest) },
	"UpdateAclAccount":           func() any { return new(model.UpdateAclAccountRequest) },
	"UpdateAclAccountPassWord":   func() any { return new(model.UpdateAclAccountPassWordRequest) },
	"ResetAclAccountPassWord":    func() any { return new(model.ResetAclAccountPassWordRequest) },
	"UpdateAclAccountRemark":     func() any { return new(model.UpdateAclAccountRemarkRequest) },
	"ListBackgroundTask":         func() any { return new(model.ListBackgroundTaskRequest) },
	"DeleteBackgroundTask":       func() any { return new(model.DeleteBackgroundTaskRequest) },
	"ShowBackgroundTaskProgress": func() any { return new(model.ShowBackgroundTaskProgressRequest) },
	"ListCenterTask":             func() any { return new(model.ListCenterTaskRequest) },
	"ShowJobInfo":                func() any { return new(model.ShowJobInfoRequest) },
	"ListInstances":              func() any { return new(model.ListInstancesRequest) },
	"ShowInstance":               func() any { return new(model.ShowInstanceRequest) },
	"UpdatePassword":             func() any { return new(model.UpdatePasswordRequest) },
	"ResetPassword":              func() any { return new(model.ResetPasswordRequest) },
}

// call fills the typed request by its members' wire names, the rest into its body, and calls the
// client's typed method.
func call(client *dcs.DcsClient, r request) (any, error) {
	maker, known := makers[r.Action]
	if !known {
		return nil, fmt.Errorf("no such action in this program: %s", r.Action)
	}
	typed := maker()
	kind := reflect.TypeOf(typed).Elem()
	whole, body := map[string]any{}, map[string]any{}
	for name, value := range r.Params {
		into := body
		for i := 0; i < kind.NumField(); i++ {
			if strings.Split(kind.Field(i).Tag.Get("json"), ",")[0] == name {
				into = whole
			}
		}
		into[name] = value
	}
	if _, has := kind.FieldByName("Body"); has {
		whole["body"] = body
	}
	raw, err := json.Marshal(whole)
	if err == nil {
		err = json.Unmarshal(raw, typed)
	}
	if err != nil {
		return nil, err
	}
	out := reflect.ValueOf(client).MethodByName(r.Action).Call(
		[]reflect.Value{reflect.ValueOf(typed)},
	)
	if err, failed := out[1].Interface().(error); failed && err != nil {
		return nil, err
	}
	status := out[0].Elem().FieldByName("HttpStatusCode").Int()
	return map[string]any{"status": status, "body": out[0].Interface()}, nil
}

func refusal(err error) answer {
	out := answer{Type: fmt.Sprintf("%T", err), Message: err.Error()}
	var refused *sdkerr.ServiceResponseError
	if errors.As(err, &refused) {
		out.Type, out.Code = "ServiceResponseError", refused.ErrorCode
		out.Status, out.Message = refused.StatusCode, refused.ErrorMessage
	}
	return out
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	var client *dcs.DcsClient
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
