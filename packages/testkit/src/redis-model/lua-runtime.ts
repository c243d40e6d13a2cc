/**
 * Runs the locks' real scripts, in Lua 5.3 where Redis has 5.1: what the scripts use is the same in both, and the differential test
 * compares them on a real server.
 */
import fengari from 'fengari'
import { type RedisData, RedisReplyError, type Reply } from './redis-data.ts'

const { lua, lauxlib, lualib, to_luastring: text } = fengari
type State = ReturnType<typeof lauxlib.luaL_newstate>

const registry = -1_001_000

export class LuaRuntime {
  readonly #state: State
  readonly #compiled = new Map<string, number>()
  #data: RedisData | null = null

  constructor() {
    this.#state = lauxlib.luaL_newstate()
    lualib.luaL_openlibs(this.#state)
    lua.lua_createtable(this.#state, 0, 3)
    this.#define('call', (args) => this.#call(args))
    this.#define('pcall', (args) => {
      try {
        return this.#call(args)
      } catch (error) {
        return { err: (error as Error).message }
      }
    })
    this.#define('error_reply', ([message]) => ({ err: String(message) }))
    lua.lua_setglobal(this.#state, text('redis'))
  }

  /** One script runs alone. Throws `RedisReplyError` for what a server would answer with an error. */
  run(data: RedisData, source: string, keys: readonly string[], args: readonly string[]): Reply {
    const state = this.#state
    this.#data = data
    lua.lua_settop(state, 0)
    lua.lua_rawgeti(state, registry, this.#reference(source))
    pushTexts(state, keys)
    lua.lua_setglobal(state, text('KEYS'))
    pushTexts(state, args)
    lua.lua_setglobal(state, text('ARGV'))
    if (lua.lua_pcall(state, 0, 1, 0) !== lua.LUA_OK) throw new RedisReplyError(`ERR ${lua.lua_tojsstring(state, -1)}`)
    return toReply(state, -1)
  }

  #reference(source: string): number {
    const known = this.#compiled.get(source)
    if (known !== undefined) return known
    if (lauxlib.luaL_loadstring(this.#state, text(source)) !== lua.LUA_OK)
      throw new RedisReplyError(`ERR Error compiling script: ${lua.lua_tojsstring(this.#state, -1)}`)
    const reference = lauxlib.luaL_ref(this.#state, registry)
    this.#compiled.set(source, reference)
    return reference
  }

  #define(name: string, run: (args: readonly string[]) => Reply | { readonly err: string }): void {
    lua.lua_pushcfunction(this.#state, (state) => {
      const args = Array.from({ length: lua.lua_gettop(state) }, (_, index) => argumentAt(state, index + 1))
      try {
        pushReply(state, run(args))
        return 1
      } catch (error) {
        lua.lua_pushstring(state, text((error as Error).message))
        return lua.lua_error(state)
      }
    })
    lua.lua_setfield(this.#state, -2, text(name))
  }

  #call([command = '', ...args]: readonly string[]): Reply {
    if (this.#data === null) throw new RedisReplyError('ERR no data')
    return this.#data.call(command, ...args)
  }
}

function pushTexts(state: State, texts: readonly string[]): void {
  lua.lua_createtable(state, texts.length, 0)
  for (const [index, one] of texts.entries()) {
    lua.lua_pushstring(state, text(one))
    lua.lua_rawseti(state, -2, index + 1)
  }
}

/** Redis takes numbers as text without a fraction: `86400000 + ARGV[2]` is a double in 5.1 and is written as an integer. */
function argumentAt(state: State, index: number): string {
  if (lua.lua_type(state, index) !== lua.LUA_TNUMBER) return lua.lua_tojsstring(state, index)
  const number = lua.lua_tonumber(state, index)
  return Number.isInteger(number) ? number.toFixed(0) : String(number)
}

function pushReply(state: State, reply: Reply | { readonly err: string }): void {
  if (reply === null) lua.lua_pushboolean(state, false)
  else if (typeof reply === 'number') lua.lua_pushinteger(state, reply)
  else if (typeof reply === 'string') lua.lua_pushstring(state, text(reply))
  else if ('ok' in reply || 'err' in reply) {
    const [name, value] = 'ok' in reply ? ['ok', reply.ok] : ['err', reply.err]
    lua.lua_createtable(state, 0, 1)
    lua.lua_pushstring(state, text(value))
    lua.lua_setfield(state, -2, text(name))
  } else {
    lua.lua_createtable(state, reply.length, 0)
    for (const [index, one] of reply.entries()) {
      pushReply(state, one)
      lua.lua_rawseti(state, -2, index + 1)
    }
  }
}

/** As Redis converts what a script returns: numbers lose their fraction, false is nil, a table ends at its first nil. */
function toReply(state: State, index: number): Reply {
  const type = lua.lua_type(state, index)
  if (type === lua.LUA_TNUMBER) return Math.trunc(lua.lua_tonumber(state, index))
  if (type === lua.LUA_TSTRING) return lua.lua_tojsstring(state, index)
  if (type === lua.LUA_TBOOLEAN) return lua.lua_toboolean(state, index) ? 1 : null
  if (type !== lua.LUA_TTABLE) return null
  return tableReply(state, index)
}

function tableReply(state: State, relative: number): Reply {
  const index = lua.lua_gettop(state) + relative + 1
  const error = fieldOf(state, index, 'err')
  if (error !== null) throw new RedisReplyError(error)
  const ok = fieldOf(state, index, 'ok')
  if (ok !== null) return { ok }
  const items: Reply[] = []
  for (let at = 1; ; at++) {
    const found = lua.lua_rawgeti(state, index, at)
    const item = found === lua.LUA_TNIL ? undefined : toReply(state, -1)
    lua.lua_pop(state, 1)
    if (item === undefined) return items
    items.push(item)
  }
}

function fieldOf(state: State, index: number, name: string): string | null {
  const found = lua.lua_getfield(state, index, text(name))
  const value = found === lua.LUA_TSTRING ? lua.lua_tojsstring(state, -1) : null
  lua.lua_pop(state, 1)
  return value
}
