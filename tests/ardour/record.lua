-- Ardour's side of the test `plugin_in_ardour`: a track with the plugin records noise, and a second one records what comes out of the
-- first. Run by Ardour's own Lua, without a window and in real time, on its dummy backend.
--
-- The environment names the session's folder: ARDOUR_SESSION. Says `played` when the session is closed.

local backend = AudioEngine:set_backend("None (Dummy)", "", "")
backend:set_device_name("Uniform White Noise")
backend:set_sample_rate(48000)
backend:set_buffer_size(tonumber(os.getenv("ARDOUR_BLOCK")))
local session = create_session(os.getenv("ARDOUR_SESSION"), "test", 48000)
assert(session, "Ardour made no session")
Session = session

local function track(name, input)
  local routes = session:new_audio_track(1, 1, nil, 1, name, ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, false)
  local made = routes:front()
  local port = made:input():nth(0)
  port:disconnect_all()
  assert(port:connect(input) == 0, "cannot connect " .. input)
  made:output():nth(0):disconnect_all()
  made:to_track():rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
  return made
end

local guitar = track("Guitar", "system:capture_1")
track("After", guitar:output():nth(0):name())
local plugin = ARDOUR.LuaAPI.new_plugin(session, "Send Learn", ARDOUR.PluginType.VST3, "")
assert(not plugin:isnil(), "Ardour does not know the plugin")
assert(guitar:add_processor_by_index(plugin, 0, nil, true) == 0, "Ardour did not add the plugin")
-- What comes in is heard, and so goes through the plugin.
local monitor_input = 1
guitar:to_track():monitoring_control():set_value(monitor_input, PBD.GroupControlDisposition.NoGroup)

session:maybe_enable_record()
session:goto_start()
ARDOUR.LuaAPI.usleep(500 * 1000)
session:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
ARDOUR.LuaAPI.usleep(4000 * 1000)
session:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
ARDOUR.LuaAPI.usleep(1500 * 1000)
session:save_state("")
close_session()
print("played")
