'use strict';
// @volcengine/sdk-core, with commands as the generated @volcengine/redis makes them.
const { Client, Command, buildRequestConfigFromMetaPath } = require('@volcengine/sdk-core');
const { serve } = require('../node/protocol');

function command(action, params) {
  const path = `/${action}/2020-12-07/redis/post/application_json/`;
  class Redis extends Command {
    constructor(input) {
      super(input);
      this.requestConfig = buildRequestConfigFromMetaPath(path);
    }
  }
  return new Redis(params);
}

function connect(request) {
  return new Client({
    host: request.endpoint,
    protocol: request.protocol,
    region: 'cn-beijing',
    accessKeyId: request.access_key,
    secretAccessKey: request.secret_key,
  });
}

async function call(client, action, params) {
  const answer = await client.send(command(action, params));
  return answer.Result;
}

serve(connect, call, (error) => {
  const body = error.data || {};
  const told = (body.ResponseMetadata && body.ResponseMetadata.Error) || {};
  return {
    type: error.constructor.name,
    code: told.Code || error.code,
    status: error.status || null,
    message: told.Message || error.message,
  };
});
