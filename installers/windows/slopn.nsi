; SloPN's installer, for all users of a 64-bit Windows 10 or newer. tools/windows/installer.py calls makensis with
;   VERSION, NUMBERS (four of them), BUNDLES (folder with slopn/ and slopn-helper/), OUT, SIZE (KiB), SIGN (a command that takes a file)
;
; Silent: /S. Exit status: 0 done; 2 nothing was changed; 3 installed, and the service doesn't start.
; Installing again repairs, and installing a newer one upgrades: the service stops with its block in force and starts with it.
; Uninstalling undoes what the service has changed, by its journal, before anything is removed: /S, /KEEPDATA (profiles,
; settings and keys stay), /FORCE (go on although something could not be undone).

Unicode true
Target amd64-unicode
ManifestDPIAware true
ManifestSupportedOS Win10
RequestExecutionLevel admin
SetCompressor /SOLID lzma
SetCompressorDictSize 64
SetDateSave off
CRCCheck force

!include FileFunc.nsh
!include LogicLib.nsh
!include MUI2.nsh
!include WinVer.nsh
!include x64.nsh

Name "SloPN"
OutFile "${OUT}"
BrandingText "SloPN ${VERSION}"
VIProductVersion "${NUMBERS}"
VIFileVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "SloPN"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "SloPN Setup"
VIAddVersionKey "CompanyName" "SloPN"
VIAddVersionKey "LegalCopyright" "Apache-2.0"

!define SERVICE "SloPN"
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\SloPN"
!define RUN "Software\Microsoft\Windows\CurrentVersion\Run"
!define PATHS "Software\Microsoft\Windows\CurrentVersion\App Paths\slopn.exe"
!define PROFILE "SloPN.Profile"
; winsvc.h, winnt.h
!define SC_MANAGER_ALL 0xF003F
!define SERVICE_ALL 0xF01FF
!define OWN_PROCESS 0x10
!define AUTO_START 2
!define ERROR_NORMAL 1
!define SECONDS_TO_STOP 25

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_ABORTWARNING
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_TEXT "Show SloPN in the task bar"
!define MUI_FINISHPAGE_RUN_FUNCTION Show
!insertmacro MUI_PAGE_LICENSE "${LICENCE}"
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

!uninstfinalize '${SIGN} "%1"' = 0

Var known   ; "1": the service is there already
Var aside   ; where the files of before wait until the new ones are in place

; Nobody but an administrator may write where a service's program lies, so the place isn't for choice.
!macro Begin
  ${IfNot} ${RunningX64}
  ${OrIfNot} ${AtLeastWin10}
    MessageBox MB_ICONSTOP "SloPN needs a 64-bit Windows 10 or newer." /SD IDOK
    SetErrorLevel 2
    Quit
  ${EndIf}
  SetRegView 64
  SetShellVarContext all
  StrCpy $INSTDIR "$PROGRAMFILES64\SloPN"
!macroend

Function .onInit
  !insertmacro Begin
FunctionEnd

Function un.onInit
  !insertmacro Begin
FunctionEnd

; Explorer starts it, as who is logged in and not as the administrator that this installer is.
Function Show
  Exec '"$WINDIR\explorer.exe" "$INSTDIR\slopn\slopn-tray.exe"'
FunctionEnd

; End the front ends, which hold their own files open, and the service. Its block stays in force.
!macro Stop un
Function ${un}Stop
  nsExec::Exec 'taskkill /F /IM slopn-tray.exe'
  Pop $0
  nsExec::Exec 'taskkill /F /IM slopn-window.exe'
  Pop $0
  StrCpy $known 0
  ReadRegStr $0 HKLM "System\CurrentControlSet\Services\${SERVICE}" "ImagePath"
  ${If} $0 != ""
    StrCpy $known 1
    DetailPrint "The service ends; what it blocks stays blocked."
    nsExec::Exec 'net stop ${SERVICE}'
    Pop $0
  ${EndIf}
FunctionEnd
!macroend
!insertmacro Stop ""
!insertmacro Stop "un."

; Move a folder as soon as no program runs from it any more. Error flag: it can't be.
!macro Move un
Function ${un}Move
  Exch $0 ; to
  Exch
  Exch $1 ; from
  Push $2
  StrCpy $2 0
  ${Do}
    ClearErrors
    Rename "$1" "$0"
    ${IfNot} ${Errors}
      ${ExitDo}
    ${EndIf}
    IntOp $2 $2 + 1
    Sleep 500
  ${LoopUntil} $2 > ${SECONDS_TO_STOP}
  ${If} $2 > ${SECONDS_TO_STOP}
    SetErrors
  ${Else}
    ClearErrors
  ${EndIf}
  Pop $2
  Pop $1
  Pop $0
FunctionEnd
!macroend
!insertmacro Move ""
!insertmacro Move "un."

; The service as it must be, made or mended; $1 is "1" when it is. By Windows' own calls: sc.exe can't say all of it everywhere.
Function Register
  StrCpy $1 0
  ; The program is quoted, or C:\Program.exe would be the service.
  StrCpy $5 '"$INSTDIR\slopn-helper\slopn-helper.exe" service'
  System::Call 'advapi32::OpenSCManagerW(p 0, p 0, i ${SC_MANAGER_ALL}) p.r2'
  ${If} $2 P<> 0
    System::Call 'advapi32::OpenServiceW(p r2, w "${SERVICE}", i ${SERVICE_ALL}) p.r3'
    ${If} $3 P<> 0
      System::Call 'advapi32::ChangeServiceConfigW(p r3, i ${OWN_PROCESS}, i ${AUTO_START}, i ${ERROR_NORMAL}, w r5, p 0, p 0, p 0, p 0, p 0, w "SloPN") i.r1'
    ${Else}
      System::Call 'advapi32::CreateServiceW(p r2, w "${SERVICE}", w "SloPN", i ${SERVICE_ALL}, i ${OWN_PROCESS}, i ${AUTO_START}, i ${ERROR_NORMAL}, w r5, p 0, p 0, p 0, p 0, p 0) p.r3'
      ${If} $3 P<> 0
        StrCpy $1 1
      ${EndIf}
    ${EndIf}
    ${If} $3 P<> 0
      ; SERVICE_DESCRIPTIONW
      System::Call '*(w "Tunnel, kill switch, DNS and routes of SloPN. Stopping it does not open what is blocked.") p.r4'
      System::Call 'advapi32::ChangeServiceConfig2W(p r3, i 1, p r4)'
      System::Free $4
      ; SERVICE_FAILURE_ACTIONSW: started again after 1, 1 and 5 seconds; counted anew after a day
      System::Call '*(i 1, i 1000, i 1, i 1000, i 1, i 5000) p.r6'
      System::Call '*(i 86400, i 0, p 0, p 0, i 3, i 0, p r6) p.r4'
      System::Call 'advapi32::ChangeServiceConfig2W(p r3, i 2, p r4)'
      System::Free $4
      System::Free $6
      ; SERVICE_DELAYED_AUTO_START_INFO, and SERVICE_FAILURE_ACTIONS_FLAG: one that ends with an error counts as one that crashed
      System::Call '*(i 1) p.r4'
      System::Call 'advapi32::ChangeServiceConfig2W(p r3, i 3, p r4)'
      System::Call 'advapi32::ChangeServiceConfig2W(p r3, i 4, p r4)'
      System::Free $4
      System::Call 'advapi32::CloseServiceHandle(p r3)'
    ${EndIf}
    System::Call 'advapi32::CloseServiceHandle(p r2)'
  ${EndIf}
FunctionEnd

Section "SloPN"
  StrCpy $aside "$INSTDIR\before"
  ; The new files first: a disk that is full shows while everything still runs.
  RMDir /r "$INSTDIR\new"
  SetOutPath "$INSTDIR\new"
  ClearErrors
  File /r "${BUNDLES}/*"
  ${If} ${Errors}
    SetOutPath "$TEMP"
    RMDir /r "$INSTDIR\new"
    MessageBox MB_ICONSTOP "SloPN's files could not be written to $INSTDIR. Nothing was changed." /SD IDOK
    SetErrorLevel 2
    Abort "SloPN's files could not be written."
  ${EndIf}
  SetOutPath "$INSTDIR"
  Call Stop
  RMDir /r "$aside"
  CreateDirectory "$aside"
  ; Each is moved aside where it is, and back if the other can't be.
  ${If} ${FileExists} "$INSTDIR\slopn-helper\*.*"
    Push "$INSTDIR\slopn-helper"
    Push "$aside\slopn-helper"
    Call Move
    ${If} ${Errors}
      Goto busy
    ${EndIf}
  ${EndIf}
  ${If} ${FileExists} "$INSTDIR\slopn\*.*"
    Push "$INSTDIR\slopn"
    Push "$aside\slopn"
    Call Move
    ${If} ${Errors}
      Rename "$aside\slopn-helper" "$INSTDIR\slopn-helper"
      Goto busy
    ${EndIf}
  ${EndIf}
  Rename "$INSTDIR\new\slopn" "$INSTDIR\slopn"
  Rename "$INSTDIR\new\slopn-helper" "$INSTDIR\slopn-helper"
  RMDir /r "$INSTDIR\new"
  RMDir /r "$aside"
  WriteUninstaller "$INSTDIR\uninstall.exe"

  Call Register

  WriteRegStr HKLM "${UNINSTALL}" "DisplayName" "SloPN"
  WriteRegStr HKLM "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${UNINSTALL}" "Publisher" "SloPN"
  WriteRegStr HKLM "${UNINSTALL}" "DisplayIcon" "$INSTDIR\slopn\slopn-window.exe"
  WriteRegStr HKLM "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKLM "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${UNINSTALL}" "EstimatedSize" ${SIZE}
  WriteRegDWORD HKLM "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKLM "${UNINSTALL}" "NoRepair" 1
  WriteRegStr HKLM "${PATHS}" "" "$INSTDIR\slopn\slopn.exe"

  WriteRegStr HKLM "Software\Classes\slopn" "" "URL:SloPN"
  WriteRegStr HKLM "Software\Classes\slopn" "URL Protocol" ""
  WriteRegStr HKLM "Software\Classes\slopn\DefaultIcon" "" "$INSTDIR\slopn\slopn-window.exe,0"
  WriteRegStr HKLM "Software\Classes\slopn\shell\open\command" "" '"$INSTDIR\slopn\slopn-window.exe" "%1"'
  ; One of several that open such a file: most .conf files are something else.
  WriteRegStr HKLM "Software\Classes\${PROFILE}" "" "WireGuard profile"
  WriteRegStr HKLM "Software\Classes\${PROFILE}\DefaultIcon" "" "$INSTDIR\slopn\slopn-window.exe,0"
  WriteRegStr HKLM "Software\Classes\${PROFILE}\shell\open\command" "" '"$INSTDIR\slopn\slopn-window.exe" "%1"'
  WriteRegStr HKLM "Software\Classes\.conf\OpenWithProgids" "${PROFILE}" ""
  CreateShortcut "$SMPROGRAMS\SloPN.lnk" "$INSTDIR\slopn\slopn-window.exe"
  ; For who installs; the tray's menu has the switch, and an upgrade leaves that as it is.
  ${If} $known == 0
    WriteRegStr HKCU "${RUN}" "SloPN" '"$INSTDIR\slopn\slopn-tray.exe" --login'
  ${EndIf}
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'

  nsExec::ExecToLog 'net start ${SERVICE}'
  Pop $0
  ${If} $1 == 0
  ${OrIf} $0 != 0
    MessageBox MB_ICONEXCLAMATION "SloPN is installed, but its service doesn't start. Windows' event log says why." /SD IDOK
    SetErrorLevel 3
  ${EndIf}
  Return

busy:
  RMDir /r "$INSTDIR\new"
  RMDir /r "$aside"
  nsExec::Exec 'net start ${SERVICE}'
  Pop $0
  MessageBox MB_ICONSTOP "Another program holds SloPN's files in $INSTDIR. Nothing was changed." /SD IDOK
  SetErrorLevel 2
  Abort "Another program holds SloPN's files."
SectionEnd

Section "Uninstall"
  Call un.Stop
  ${GetParameters} $R0
  ; What the service has changed on this computer is put back by what it has written down. First: only it can.
  DetailPrint "Undoing what SloPN has changed on this computer"
  nsExec::ExecToLog '"$INSTDIR\slopn-helper\slopn-helper.exe" unlock'
  Pop $0
  ${If} $0 != 0
    ClearErrors
    ${GetOptions} $R0 "/FORCE" $R1
    ${If} ${Errors}
      nsExec::Exec 'net start ${SERVICE}'
      Pop $0
      MessageBox MB_ICONSTOP "Something that SloPN has changed on this computer could not be undone, so it stays installed. Run `slopn-helper unlock` as administrator to see what; `uninstall.exe /FORCE` removes SloPN all the same." /SD IDOK
      SetErrorLevel 2
      Abort "Not everything could be undone."
    ${EndIf}
  ${EndIf}
  ${If} $known == 1
    nsExec::ExecToLog 'sc delete ${SERVICE}'
    Pop $0
  ${EndIf}
  Push "$INSTDIR\slopn-helper"
  Push "$INSTDIR\before"
  Call un.Move
  RMDir /r "$INSTDIR\before"
  RMDir /r "$INSTDIR\slopn-helper"
  RMDir /r "$INSTDIR\slopn"
  RMDir /r "$INSTDIR\new"
  Delete "$INSTDIR\uninstall.exe"
  SetOutPath "$TEMP"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\SloPN.lnk"
  DeleteRegKey HKLM "${UNINSTALL}"
  DeleteRegKey HKLM "${PATHS}"
  DeleteRegKey HKLM "Software\Classes\slopn"
  DeleteRegKey HKLM "Software\Classes\${PROFILE}"
  DeleteRegValue HKLM "Software\Classes\.conf\OpenWithProgids" "${PROFILE}"
  DeleteRegKey /ifempty HKLM "Software\Classes\.conf\OpenWithProgids"
  DeleteRegKey /ifempty HKLM "Software\Classes\.conf"
  ; Of each user who is logged in; of others, an entry that starts nothing stays behind.
  StrCpy $1 0
  ${Do}
    EnumRegKey $2 HKU "" $1
    ${If} $2 == ""
      ${ExitDo}
    ${EndIf}
    DeleteRegValue HKU "$2\${RUN}" "SloPN"
    IntOp $1 $1 + 1
  ${Loop}
  DeleteRegValue HKCU "${RUN}" "SloPN"
  ClearErrors
  ${GetOptions} $R0 "/KEEPDATA" $R1
  ${If} ${Errors}
    RMDir /r "$APPDATA\SloPN"
  ${EndIf}
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
SectionEnd
