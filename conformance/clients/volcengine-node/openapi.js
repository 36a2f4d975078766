'use strict';
// @volcengine/openapi: services described by hand. It never throws: a refusal is an answer.
const { Service } = require('@volcengine/openapi');
const { serve } = require('../node/protocol');

const VERSION = '2020-12-07';

class Refused extends Error {
  constructor(error) {
    super(error.Message);
    this.code = error.Code;
  }
}

function connect(request) {
  const service = new Service({
    host: request.endpoint,
    protocol: `${request.protocol}:`,
    serviceName: 'redis',
    region: 'cn-beijing',
    defaultVersion: VERSION,
    accessKeyId: request.access_key,
    secretKey: request.secret_key,
  });
  return { service, mode: request.mode };
}

async function call({ service, mode }, action, params) {
  const how = mode === 'GET' ? { method: 'GET' } : { method: 'POST', contentType: 'json' };
  const answer = await service.createAPI(action, how)(params);
  if (answer.ResponseMetadata.Error) throw new Refused(answer.ResponseMetadata.Error);
  return answer.Result;
}

serve(connect, call, (error) => ({
  type: error.constructor.name,
  code: error.code,
  status: null,
  message: error.message,
}));
