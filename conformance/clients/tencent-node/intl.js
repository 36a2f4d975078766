'use strict';
// tencentcloud-sdk-nodejs-intl-en 3.x: version 1 with HmacSHA256 over a form, unless told.
const root = 'tencentcloud-sdk-nodejs-intl-en/tencentcloud/common';
const { Client, Models } = require('tencentcloud-sdk-nodejs-intl-en').redis.v20180412;
const Credential = require(`${root}/credential`);
const ClientProfile = require(`${root}/profile/client_profile`);
const HttpProfile = require(`${root}/profile/http_profile`);
const { serve } = require('../node/protocol');

function connect(request) {
  const http = new HttpProfile();
  http.endpoint = request.endpoint;
  http.protocol = `${request.protocol}://`;
  const profile = new ClientProfile();
  profile.httpProfile = http;
  const credential = new Credential(request.access_key, request.secret_key);
  return new Client(credential, 'ap-guangzhou', profile);
}

const call = (client, action, params) => new Promise((resolve, reject) => {
  const model = new Models[`${action}Request`]();
  model.from_json_string(JSON.stringify(params));
  client[action](model, (error, answer) => {
    if (error) reject(error);
    else resolve(JSON.parse(answer.to_json_string()));
  });
});

serve(connect, call, (error) => ({
  type: error.constructor.name,
  code: error.code,
  status: null,
  message: error.message,
}));
