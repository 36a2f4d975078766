// The core that every new Go SDK is generated on (ACS3), driven by the line protocol of
// ../protocol.py. It is told what the generated R-kvstore client would tell it.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

type request struct {
	Op        string         `json:"op"`
	Endpoint  string         `json:"endpoint"`
	Protocol  string         `json:"protocol"`
	AccessKey string         `json:"access_key"`
	SecretKey string         `json:"secret_key"`
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

func connect(r request) (*openapi.Client, error) {
	return openapi.NewClient(&openapiutil.Config{
		AccessKeyId:     &r.AccessKey,
		AccessKeySecret: &r.SecretKey,
		Endpoint:        &r.Endpoint,
		Protocol:        &r.Protocol,
		RegionId:        dara.String("cn-hangzhou"),
	})
}

func call(client *openapi.Client, r request) (any, error) {
	params := &openapiutil.Params{
		Action:      &r.Action,
		Version:     dara.String("2015-01-01"),
		Protocol:    dara.String("HTTPS"),
		Pathname:    dara.String("/"),
		Method:      dara.String("POST"),
		AuthType:    dara.String("AK"),
		Style:       dara.String("RPC"),
		ReqBodyType: dara.String("formData"),
		BodyType:    dara.String("json"),
	}
	reply, err := client.CallApi(
		params,
		&openapiutil.OpenApiRequest{Query: openapiutil.Query(r.Params)},
		&dara.RuntimeOptions{},
	)
	if err != nil {
		return nil, err
	}
	return reply["body"], nil
}

func refusal(err error) answer {
	out := answer{Type: fmt.Sprintf("%T", err), Message: err.Error()}
	var refused *tea.SDKError
	if errors.As(err, &refused) {
		out.Type, out.Code = "SDKError", tea.StringValue(refused.Code)
		out.Status = tea.IntValue(refused.StatusCode)
	}
	return out
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	var client *openapi.Client
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
