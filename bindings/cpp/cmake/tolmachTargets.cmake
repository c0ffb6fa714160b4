# The targets of Tolmach, of an install and of a checkout alike.

# tolmach_add_targets(INCLUDES SHARED STATIC [GLOBAL]): an empty library makes no target.
function(tolmach_add_targets includes shared static)
  set(targets "")
  if(shared AND NOT TARGET tolmach::tolmach)
    add_library(tolmach::tolmach SHARED IMPORTED ${ARGN})
    get_filename_component(soname "${shared}" NAME)
    if(APPLE)
      set(soname "@rpath/${soname}")
    endif()
    set_target_properties(tolmach::tolmach PROPERTIES
      IMPORTED_LOCATION "${shared}"
      IMPORTED_SONAME "${soname}")
    list(APPEND targets tolmach::tolmach)
  endif()
  if(static AND NOT TARGET tolmach::tolmach_static)
    add_library(tolmach::tolmach_static STATIC IMPORTED ${ARGN})
    set(native "-pthread;${CMAKE_DL_LIBS};m")
    if(APPLE)
      list(APPEND native "-framework Security" "-framework CoreFoundation")
    endif()
    set_target_properties(tolmach::tolmach_static PROPERTIES
      IMPORTED_LOCATION "${static}"
      INTERFACE_COMPILE_DEFINITIONS TOLMACH_STATIC
      INTERFACE_LINK_LIBRARIES "${native}")
    list(APPEND targets tolmach::tolmach_static)
  endif()
  foreach(target IN LISTS targets)
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${includes}")
    # A project in C alone knows no features of C++.
    if(CMAKE_CXX_COMPILER_LOADED)
      set_target_properties(${target} PROPERTIES INTERFACE_COMPILE_FEATURES cxx_std_17)
    endif()
  endforeach()
endfunction()
