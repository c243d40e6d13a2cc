/** As far as it is used here: https://github.com/fengari-lua/fengari mirrors Lua's C API. */
declare module 'fengari' {
  type State = { readonly state: unique symbol }
  type LuaText = Uint8Array
  const fengari: {
    readonly lua: {
      readonly LUA_TNIL: number
      readonly LUA_TBOOLEAN: number
      readonly LUA_TNUMBER: number
      readonly LUA_TSTRING: number
      readonly LUA_TTABLE: number
      readonly LUA_OK: number
      lua_pushnil(state: State): void
      lua_pushboolean(state: State, value: boolean): void
      lua_pushinteger(state: State, value: number): void
      lua_pushnumber(state: State, value: number): void
      lua_pushstring(state: State, text: LuaText): void
      lua_pushvalue(state: State, index: number): void
      lua_pushcfunction(state: State, run: (state: State) => number): void
      lua_createtable(state: State, items: number, fields: number): void
      lua_rawseti(state: State, table: number, index: number): void
      lua_rawgeti(state: State, table: number, index: number): number
      lua_setfield(state: State, table: number, name: LuaText): void
      lua_getfield(state: State, table: number, name: LuaText): number
      lua_setglobal(state: State, name: LuaText): void
      lua_getglobal(state: State, name: LuaText): number
      lua_pcall(state: State, args: number, results: number, handler: number): number
      lua_gettop(state: State): number
      lua_settop(state: State, top: number): void
      lua_pop(state: State, count: number): void
      lua_type(state: State, index: number): number
      lua_tonumber(state: State, index: number): number
      lua_toboolean(state: State, index: number): boolean
      lua_tojsstring(state: State, index: number): string
      lua_error(state: State): never
    }
    readonly lauxlib: {
      luaL_newstate(): State
      luaL_loadstring(state: State, source: LuaText): number
      luaL_ref(state: State, table: number): number
    }
    readonly lualib: { luaL_openlibs(state: State): void }
    to_luastring(text: string): LuaText
  }
  export default fengari
}
