'use strict';
// @alicloud/r-kvstore20150101: ACS3, with fewer signed headers than the Python client.
const fs = require('fs');
const kvstore = require('@alicloud/r-kvstore20150101');
const { $OpenApiUtil } = require('@alicloud/openapi-core');
const { RuntimeOptions } = require('@darabonba/typescript');
const { serve } = require('./protocol');

const lower = (name) => name[0].toLowerCase() + name.slice(1);

function connect(request) {
  const Client = kvstore.default;
  const config = new $OpenApiUtil.Config({
    regionId: 'cn-hangzhou',
    endpoint: request.endpoint,
    protocol: request.protocol,
    accessKeyId: request.access_key,
    accessKeySecret: request.secret_key,
  });
  const runtime = new RuntimeOptions({});
  if (request.ca) runtime.ca = fs.readFileSync(request.ca, 'utf8');
  return { sdk: new Client(config), runtime };
}

async function call(client, action, params) {
  const members = Object.fromEntries(Object.entries(params).map(([k, v]) => [lower(k), v]));
  const model = new kvstore[`${action}Request`](members);
  const reply = await client.sdk[`${lower(action)}WithOptions`](model, client.runtime);
  return reply.body.toMap();
}

serve(connect, call, (error) => ({
  type: error.constructor.name,
  code: error.code,
  status: error.statusCode || (error.data && error.data.statusCode) || null,
  message: error.message,
}));
